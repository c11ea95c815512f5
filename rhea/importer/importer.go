// Package importer publishes events from files through a running relay's bus, as
// a gateway would, with an instance and an out inbox of its own but without being
// on the roster: it is no stage.
//
//	arrives   lines of JSON; Verdicts on out.<instance>; the roster
//	leaves    EventFrames to ingest.<shard>, spread over all shards
//	owns      the raw events that are not answered yet (4 MiB), to send them again
//	order     none between lines: the store's rules do not depend on it
//	on death  run it again; what was stored before is answered as a duplicate, or with
//	          Resume mostly not sent: see State
//
// An event is sent again when its shard's ingester or the writer has been
// replaced, and when it is unanswered for two seconds, then four, and so on.
// Repeating one is harmless: the writer knows it by its id.
package importer

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
)

// Options say what to import and where to report.
type Options struct {
	Files   []string  // paths; "-" or none at all is Stdin; plain, gzip or zstd
	Stdin   io.Reader // read when asked for
	Trusted bool      // signatures are not verified
	MaxLine int       // bytes of the longest event
	// Progress, which may be nil, is called a few times a second.
	Progress func(Progress)
	// Resume lets an import of files that was cut go on where it was, by what it has
	// kept beside each (StateSuffix): it must have been given then too.
	Resume   bool
	AllNotes bool // Note hears of every line that was rejected, not only the first ten
	// Note is called for the lines that were rejected.
	Note func(place, reason string)
}

// Progress is how far an import has come.
type Progress struct {
	Result  Result
	Waiting int // events in flight
	// Read is how many bytes of the files have been read, and Size how many they
	// have, as they are on disk. Size is 0 when that is not known, as of a pipe.
	Read, Size int64
}

const (
	// givingUp is how long nothing at all may be answered while something waits.
	givingUp = 30 * time.Second
	// beat is the rhythm of resending and of Progress.
	beat = 250 * time.Millisecond
	// maxNotes bounds how many rejected lines are named.
	maxNotes = 10
	// ahead is how many lines are read before there is room for them.
	ahead = 64
	// maxDrain bounds how many bus messages are handled before a flush.
	maxDrain = 256
)

// ErrLost says that the relay has stopped answering.
var ErrLost = fmt.Errorf("the relay has not answered anything for %s", givingUp)

// Run imports until every line has its answer. The result is right even when an
// error is returned: ErrLost, ctx's, or one of reading.
func Run(ctx context.Context, b *bus.Bus, o Options) (Result, error) {
	started := time.Now()
	size, err := present(o.Files)
	if err == nil && o.Resume {
		err = checkResumable(o.Files)
	}
	if err != nil {
		return Result{}, err
	}
	s := &session{
		o: o, bus: b, core: newCore(b.Space, b.Instance, o.Trusted),
		inbox:  bus.Listen(b, func() *relaypb.OutInbox { return new(relaypb.OutInbox) }, 0),
		outbox: b.NewOutbox(), roster: bus.NewRoster(b, "", "", nil),
		lines: make(chan Line, ahead), read: make(chan error, 1), size: size,
	}
	if err := s.inbox.Add(b.Space.Out(b.Instance)); err != nil {
		return Result{}, err
	}
	defer s.inbox.Close()
	err = s.roster.While(ctx, s.run)
	s.core.result.Unanswered = len(s.core.waiting)
	s.core.result.Took = time.Since(started)
	return s.core.result, err
}

// present makes a misspelt name known before the first event is sent. It returns
// the size of all files, or 0 when one of them is a pipe or the like.
func present(files []string) (size int64, err error) {
	known := len(files) > 0
	for _, name := range files {
		if name == "-" {
			known = false
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return 0, err
		}
		if info.IsDir() {
			return 0, fmt.Errorf("%s is a directory", name)
		}
		known = known && info.Mode().IsRegular()
		size += info.Size()
	}
	if !known {
		return 0, nil
	}
	return size, nil
}
