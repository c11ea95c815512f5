package store

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"rhea/proto/subject"
)

// formatVersion is the version of the layout in the package documentation. Any
// change of it that an older build would misread takes a new number. A store of
// oldestFormat, whose bodies are JSON as it is, or of format 3, whose keys have no
// briefs, is one of this build's too, and gets its number when it is opened for
// writing.
const (
	formatVersion uint32 = 4
	oldestFormat  uint32 = 2
)

// The keys of the meta keyspace.
var (
	metaFormat = []byte{spaceMeta, 'f'} // uint32, big endian
	metaID     = []byte{spaceMeta, 'i'} // uint64, big endian
	metaState  = []byte{spaceMeta, 's'} // state
)

// Store is an open store. Commit, Sweep, Vanishing, Expire, and Close are for one goroutine, Wait
// for one (the same or another), everything else for any number.
type Store struct {
	opt    Options
	dir    string
	db     *pebble.DB
	hot    *hotEvents
	newest *newest
	lock   *pebble.Lock
	id     uint64

	w writer // of the goroutine that commits

	reserve atomic.Int64 // as Options.ReserveBytes

	committed uint64        // number of Commits made; of the goroutine that commits
	waited    atomic.Uint64 // number of Commits waited for

	viewMu sync.Mutex
	view   *View // nil after Close

	failure atomic.Pointer[error]

	stalls           stalls
	backgroundErrors atomic.Int64 // flushes and compactions that failed
	complained       atomic.Int64 // when the log was told of one, Unix milliseconds
}

// Open opens the store in dir and creates it, and dir, if they are not there.
// The errors are *InUseError, *FormatError, or come from the file system and
// from Pebble.
func Open(dir string, opt Options) (*Store, error) { return open(dir, opt, false) }

func open(dir string, opt Options, readOnly bool) (_ *Store, err error) {
	if dir == "" {
		// To Pebble this is the working directory.
		return nil, errors.New("store: no directory is given")
	}
	s := &Store{opt: opt.withDefaults(), dir: dir, stalls: stalls{began: time.Now()}}
	s.hot, s.newest = newHotEvents(s.opt.CacheBytes/hotPart), newNewest(s.opt.CacheBytes/newestPart)
	s.reserve.Store(s.opt.ReserveBytes)
	if !readOnly {
		if err := s.opt.FS.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("store %s: %w", dir, err)
		}
	}
	defer func() {
		if err != nil {
			s.release()
		}
	}()
	if s.lock, err = pebble.LockDirectory(dir, s.opt.FS); err != nil {
		if held(err) {
			return nil, &InUseError{Dir: dir}
		}
		return nil, fmt.Errorf("store %s: locking it: %w", dir, err)
	}
	po := pebbleOptions(s)
	po.ReadOnly, po.ErrorIfNotExists = readOnly, readOnly
	if s.db, err = pebble.Open(dir, po); err != nil {
		return nil, fmt.Errorf("store %s: %w", dir, err)
	}
	if err := s.readMeta(readOnly); err != nil {
		return nil, err
	}
	if err := s.w.open(s); err != nil {
		return nil, fmt.Errorf("store %s: %w", dir, err)
	}
	if !readOnly {
		failed := func(err error) { s.fail(fmt.Errorf("store %s: reading the ids: %w", dir, err)) }
		s.w.known.open(s.db, failed, idsIn{within(spaceID), 1})
		s.w.tombstones.open(s.db, failed)
	}
	s.view = &View{s: s, snap: s.db.NewSnapshot(), seq: s.w.head, gone: s.w.vanishing, refs: 1}
	return s, nil
}

// held reports whether an error of Lock means that somebody has the lock: fcntl
// says it of another process with one of two errnos, and Pebble of this one with a
// text only. A file that cannot be made may have the same errno, and comes with
// its path.
func held(err error) bool {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return false
	}
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) ||
		strings.Contains(err.Error(), "lock held by current process")
}

// readMeta checks the format and makes a new store of an empty database.
func (s *Store) readMeta(readOnly bool) error {
	b, err := s.get(metaFormat, 4)
	if errors.Is(err, pebble.ErrNotFound) {
		it, err := s.db.NewIter(nil)
		if err != nil {
			return fmt.Errorf("store %s: %w", s.dir, err)
		}
		empty := !it.First()
		if err := it.Close(); err != nil {
			return fmt.Errorf("store %s: %w", s.dir, err)
		}
		if !empty || readOnly {
			return &FormatError{Dir: s.dir}
		}
		return s.create()
	}
	if err != nil {
		return fmt.Errorf("store %s: format: %w", s.dir, err)
	}
	switch v := binary.BigEndian.Uint32(b); {
	case v < oldestFormat || v > formatVersion:
		return &FormatError{Dir: s.dir, Found: v}
	case v < formatVersion && !readOnly:
		if err := s.db.Set(metaFormat, binary.BigEndian.AppendUint32(nil, formatVersion), pebble.Sync); err != nil {
			return fmt.Errorf("store %s: format: %w", s.dir, err)
		}
	}
	if b, err = s.get(metaID, 8); err != nil {
		return fmt.Errorf("store %s: id: %w", s.dir, err)
	}
	s.id = binary.BigEndian.Uint64(b)
	return nil
}

// get reads a small value of known length.
func (s *Store) get(key []byte, size int) ([]byte, error) {
	b, closer, err := s.db.Get(key)
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	if len(b) != size {
		return nil, fmt.Errorf("key %q: %d bytes, want %d", key, len(b), size)
	}
	return append([]byte(nil), b...), nil
}

func (s *Store) create() error {
	var id [8]byte
	for s.id == 0 {
		rand.Read(id[:])
		s.id = binary.BigEndian.Uint64(id[:])
	}
	b := s.db.NewBatch()
	defer b.Close()
	err := errors.Join(
		b.Set(metaFormat, binary.BigEndian.AppendUint32(nil, formatVersion), nil),
		b.Set(metaID, id[:], nil),
		b.Set(metaState, state{}.appendTo(nil), nil),
		b.Commit(pebble.Sync),
	)
	if err != nil {
		return fmt.Errorf("store %s: creating it: %w", s.dir, err)
	}
	return nil
}

// ID returns the identity of the store: random, not 0, given when it was made.
// Seqs of stores with different identities do not compare.
func (s *Store) ID() uint64 { return s.id }

// Head returns the last Seq on disk.
func (s *Store) Head() subject.Seq {
	s.viewMu.Lock()
	defer s.viewMu.Unlock()
	if s.view == nil {
		return 0
	}
	return s.view.seq
}

// fail makes every later Commit and Wait return err. The first failure stays.
func (s *Store) fail(err error) error {
	s.failure.CompareAndSwap(nil, &err)
	return err
}

// Err returns why the store takes nothing more: a failed write, after which the
// process has to end, or ErrClosed. It is nil for a store in order.
func (s *Store) Err() error {
	if p := s.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// Close closes the store. Every Commit must have been waited for, and every View
// closed; a View that is not makes Close return Pebble's complaint.
func (s *Store) Close() error {
	s.failure.CompareAndSwap(nil, new(ErrClosed))
	s.viewMu.Lock()
	v := s.view
	s.view = nil
	s.viewMu.Unlock()
	var err error
	if v != nil {
		err = v.Close()
	}
	return errors.Join(err, s.release())
}

func (s *Store) release() (err error) {
	s.w.known.close()
	s.w.tombstones.known.close()
	if s.db != nil {
		err = s.db.Close()
		s.db = nil
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
		s.lock = nil
	}
	return err
}
