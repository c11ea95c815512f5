package store

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"rhea/proto/subject"
)

// crasher takes a picture of the disk, with some of what was not synced, before
// the n-th operation that writes.
type crasher struct {
	mem    *vfs.MemFS
	rng    *rand.Rand
	left   atomic.Int64
	armed  atomic.Bool
	waited atomic.Int64 // commits whose Wait has returned
	// What it found when it fired.
	fired     atomic.Bool
	clone     *vfs.MemFS
	confirmed int
	point     string
}

func (c *crasher) String() string { return "crasher" }

func (c *crasher) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || !c.armed.Load() || c.left.Add(-1) != 0 {
		return nil
	}
	c.confirmed = int(c.waited.Load())
	c.clone = c.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: c.rng.IntN(101), RNG: c.rng})
	name := path.Base(op.Path)
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		name = name[i:]
	} else {
		name, _, _ = strings.Cut(name, "-")
	}
	kind, ok := opNames[op.Kind]
	if !ok {
		kind = "other"
	}
	c.point = kind + " " + name
	c.fired.Store(true)
	return nil
}

var opNames = map[errorfs.OpKind]string{
	errorfs.OpCreate: "create", errorfs.OpRemove: "remove", errorfs.OpRename: "rename",
	errorfs.OpReuseForWrite: "reuse", errorfs.OpFileClose: "close", errorfs.OpFileWrite: "write",
	errorfs.OpFileSync: "sync", errorfs.OpFileSyncData: "sync", errorfs.OpFileSyncTo: "sync",
}

// TestCrash kills the machine before a random write of any kind: to the WAL, to
// a table, to the manifest, a rename, a deletion. What Wait had confirmed must be
// there, and what is there must be exactly what some commit had left.
func TestCrash(t *testing.T) {
	rounds, points := 150, map[string]int{}
	if testing.Short() {
		rounds = 20
	}
	fired := 0
	for range rounds {
		seed := rand.Uint64()
		if point := crashOnce(t, seed); point != "" {
			points[point]++
			fired++
		}
	}
	t.Logf("%d of %d crashed: %v", fired, rounds, points)
	if fired < rounds/2 {
		t.Errorf("only %d of %d rounds crashed", fired, rounds)
	}
}

func crashOnce(t *testing.T, seed uint64) string {
	rng := rand.New(rand.NewPCG(seed, 4))
	now := time.UnixMilli(1_700_000_000_000)
	c := &crasher{mem: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(seed, 5))}
	c.left.Store(1 + rng.Int64N(250))
	opt := Options{FS: errorfs.Wrap(c.mem, c), MemTableBytes: 32 << 10, EphemeralKeep: time.Minute, Now: func() time.Time { return now }}
	s, err := Open("store", opt)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	defer s.Close()
	s.w.sweeper.most = 1 + rng.IntN(20)
	c.armed.Store(true)
	h, m := newHistory(seed), newModel(time.Minute)
	after := []model{m.clone()} // by number of commits
	var flight []*Commit
	land := func(commit *Commit) { after, flight = append(after, m.clone()), append(flight, commit) }
	for len(after) < 80 && !c.fired.Load() {
		var batch []Incoming
		for range rng.IntN(30) {
			e, forged := h.next()
			in := incomingOf(e)
			in.Forged = forged
			m.commit(e, forged, now)
			batch = append(batch, in)
		}
		commit, err := s.Commit(batch)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		land(commit)
		switch rng.IntN(4) {
		case 0:
			m.sweep(t, s, time.Unix(0, 0), false, land)
		case 1:
			m.sweep(t, s, now, true, land)
		}
		now = now.Add(time.Duration(rng.IntN(20)) * time.Second)
		for len(flight) > rng.IntN(4) {
			if _, _, err := flight[0].Wait(); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			flight = flight[1:]
			c.waited.Add(1)
		}
		if rng.IntN(4) == 0 {
			if _, err := s.Expire(now); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
	}
	for _, commit := range flight {
		if _, _, err := commit.Wait(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	if !c.fired.Load() {
		return ""
	}
	t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
		opt.FS = c.clone
		survivor := openMem(t, opt)
		k := c.confirmed
		for k < len(after)-1 && after[k].head != survivor.Head() {
			k++
		}
		after[k].compare(t, survivor, now)
		// And it goes on where it stopped.
		verdicts, entries := commit(t, survivor, incomingOf(made(1, 1, 1, "after the crash")))
		if len(entries) != 1 || subject.Seq(entries[0].Seq) != after[k].head+1 {
			t.Errorf("after the crash: %v, %v", verdicts, entries)
		}
		rest := after[k]
		rest.head++
		rest.sweep(t, survivor, now, true, func(c *Commit) {
			if _, _, err := c.Wait(); err != nil {
				t.Fatal(err)
			}
		})
		if rep := checked(t, survivor); rep.Hidden != 0 || rep.Events != uint64(len(rest.events))+1 {
			t.Errorf("after sweeping up: %+v, want %d events", rep, len(rest.events)+1)
		}
	})
	return c.point
}

// clone copies what compare needs.
func (m *model) clone() model {
	return model{head: m.head, events: maps.Clone(m.events)}
}

// TestFailedWriteFailsTheStore lets an fsync of the WAL fail: the Wait for it must
// fail, and everything after it.
func TestFailedWriteFailsTheStore(t *testing.T) {
	bad := errors.New("the disk is gone")
	var armed atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if armed.Load() && strings.HasSuffix(op.Path, ".log") && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return bad
		}
		return nil
	}))
	var fatal atomic.Bool
	s, err := Open("store", Options{FS: fs, Fatal: func(error) { fatal.Store(true) }})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, incomingOf(made(1, 1, 1, "")))
	armed.Store(true)
	c, err := s.Commit([]Incoming{incomingOf(made(2, 1, 1, ""))})
	if err == nil {
		_, _, err = c.Wait()
	}
	if !errors.Is(err, bad) {
		t.Errorf("commit on a broken disk: %v", err)
	}
	if _, err := s.Commit(nil); !errors.Is(err, bad) {
		t.Errorf("Commit after the failure: %v", err)
	}
	if s.Err() == nil || !s.Stats().Failed {
		t.Error("the store does not say that it has failed")
	}
	withView(t, s, func(v *View) {
		if v.Seq() != 1 {
			t.Errorf("readers see %d, which is not on disk", v.Seq())
		}
	})
}

// TestFullDiskUnderFlush lets the disk be full while a flush writes its table:
// the store goes on, and when there is room the flush comes to its end.
func TestFullDiskUnderFlush(t *testing.T) {
	var full atomic.Bool
	var tries atomic.Int64
	again := make(chan struct{})
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".sst") {
			if tries.Add(1) == 2 {
				close(again) // the first failure has been reported
			}
			return syscall.ENOSPC
		}
		return nil
	}))
	s := openMem(t, Options{FS: fs})
	commit(t, s, incomingOf(made(1, 1, 1, "")))
	full.Store(true)
	flushed, err := s.db.AsyncFlush()
	if err != nil {
		t.Fatal(err)
	}
	<-again
	if n := s.Stats().BackgroundErrors; s.Err() != nil || n == 0 {
		t.Errorf("after a failed flush: %v, %d errors", s.Err(), n)
	}
	commit(t, s, incomingOf(made(2, 1, 2, "")))
	full.Store(false)
	<-flushed
	if rep := checked(t, s); rep.Events != 2 {
		t.Errorf("%d events", rep.Events)
	}
}

// TestCorruptionFailsTheStore reports what a compaction says of a damaged table.
func TestCorruptionFailsTheStore(t *testing.T) {
	s := openMem(t, Options{})
	s.backgroundError(fmt.Errorf("table 7: %w", pebble.ErrCorruption))
	if _, err := s.Commit(nil); !errors.Is(err, pebble.ErrCorruption) {
		t.Errorf("Commit: %v", err)
	}
}
