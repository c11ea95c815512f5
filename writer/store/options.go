package store

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options configure a Store. The zero value works.
type Options struct {
	// FS is the file system; nil is the operating system's.
	FS vfs.FS
	// CacheBytes bounds what is kept in memory of what was read: an eighth of it events
	// as they went out, a forty-eighth of when authors have written last, the rest
	// uncompressed blocks. 0 means 96 MiB.
	CacheBytes int64
	// MemTableBytes is the size at which what was committed is flushed from
	// memory to tables; up to two of them are held. 0 means 8 MiB.
	MemTableBytes uint64
	// ReserveBytes is the free space on the disk below which nothing more is
	// taken, so that Pebble can still compact. 0 means 256 MiB, less than 0 none.
	ReserveBytes int64
	// EphemeralKeep is how long an ephemeral event stays in the log, and how long
	// the same event sent again is recognised. 0 means 5 minutes.
	EphemeralKeep time.Duration
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Logger receives what Pebble has to say: errors at level Error, the rest at
	// level Debug. nil discards it.
	Logger *slog.Logger
	// Fatal is called with an error after which Pebble cannot go on, and must not
	// return. nil panics, which ends the process with the error on stderr.
	Fatal func(error)
}

const (
	defaultCache    = 96 << 20
	defaultMemTable = 8 << 20
	defaultReserve  = 256 << 20
	defaultKeep     = 5 * time.Minute
)

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = defaultCache
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = defaultMemTable
	}
	if o.ReserveBytes == 0 {
		o.ReserveBytes = defaultReserve
	}
	if o.EphemeralKeep <= 0 {
		o.EphemeralKeep = defaultKeep
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Fatal == nil {
		o.Fatal = func(err error) { panic(err) }
	}
	return o
}

// InUseError says that another process, or another Store of this one, has the
// directory open.
type InUseError struct{ Dir string }

func (e *InUseError) Error() string {
	return fmt.Sprintf("store %s is in use by another process", e.Dir)
}

// FormatError says that the directory holds a store that this build cannot read.
type FormatError struct {
	Dir   string
	Found uint32 // 0 if it is not a store of this kind at all
}

func (e *FormatError) Error() string {
	if e.Found == 0 {
		return fmt.Sprintf("store %s: a Pebble database, but not one of Rhea's", e.Dir)
	}
	return fmt.Sprintf("store %s has format %d; this build knows formats %d to %d (rhea export with the build that made it, rhea import with this one)",
		e.Dir, e.Found, oldestFormat, formatVersion)
}

// ErrClosed is returned by a Store that has been closed.
var ErrClosed = errors.New("store: closed")
