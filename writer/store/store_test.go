package store

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// openMem opens a store in memory that the test closes.
func openMem(t testing.TB, opt Options) *Store {
	t.Helper()
	if opt.FS == nil {
		opt.FS = vfs.NewMem()
	}
	s, err := Open("store", opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func incomingOf(e *nostr.Event) Incoming {
	return Incoming{Header: nostr.AppendHeader(nil, e), JSON: e.AppendJSON(nil), Vanish: true}
}

// commit commits and waits.
func commit(t testing.TB, s *Store, batch ...Incoming) ([]Verdict, []*relaypb.Entry) {
	t.Helper()
	c, err := s.Commit(batch)
	if err != nil {
		t.Fatal(err)
	}
	entries, head, err := c.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if head != s.Head() {
		t.Fatalf("Wait says head %d, the view %d", head, s.Head())
	}
	return c.Verdicts, entries
}

// load commits events in batches.
func load(t testing.TB, s *Store, events []*nostr.Event) {
	t.Helper()
	for len(events) > 0 {
		n := min(len(events), 64)
		var batch []Incoming
		for _, e := range events[:n] {
			batch = append(batch, incomingOf(e))
		}
		commit(t, s, batch...)
		events = events[n:]
	}
}

// withView calls f with the current view.
func withView(t testing.TB, s *Store, f func(v *View)) {
	t.Helper()
	v, err := s.View()
	if err != nil {
		t.Fatal(err)
	}
	f(v)
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
}

// checked runs the checker and wants nothing to be wrong.
func checked(t testing.TB, s *Store) Report {
	t.Helper()
	var rep Report
	withView(t, s, func(v *View) {
		var err error
		if rep, err = v.Check(); err != nil {
			t.Fatal(err)
		}
	})
	for _, p := range rep.Problems {
		t.Error(p)
	}
	if len(rep.Problems) > 0 {
		t.FailNow()
	}
	return rep
}

func TestSecondOpenerIsRefused(t *testing.T) {
	for name, fs := range map[string]vfs.FS{"disk": vfs.Default, "memory": vfs.NewMem()} {
		dir := t.TempDir() + "/deep/store"
		s, err := Open(dir, Options{FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		_, err = Open(dir, Options{FS: fs})
		if _, ok := errors.AsType[*InUseError](err); !ok || !strings.Contains(err.Error(), dir+" is in use by another process") {
			t.Errorf("%s: second Open: %v", name, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if s, err = Open(dir, Options{FS: fs}); err != nil {
			t.Fatalf("%s: Open after Close: %v", name, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Open(file, Options{})
	if _, inUse := errors.AsType[*InUseError](err); err == nil || inUse {
		t.Errorf("Open of a file: %v", err)
	}
	for name, open := range map[string]func(Options) error{
		"Open":  func(o Options) error { _, err := Open("", o); return err },
		"Check": func(o Options) error { _, err := Check("", o); return err },
	} {
		if err := open(Options{FS: vfs.NewMem()}); err == nil || err.Error() != "store: no directory is given" {
			t.Errorf("%s of no directory: %v", name, err)
		}
	}
}

// noLocks is a file system that cannot lock.
type noLocks struct {
	vfs.FS
	err error
}

func (f noLocks) Lock(string) (io.Closer, error) { return nil, f.err }

// Only a lock that is held says that the store is in use: a file system without
// locks, or without any left, is another matter.
func TestLockErrors(t *testing.T) {
	for _, c := range []struct {
		err   error
		inUse bool
	}{
		{syscall.EAGAIN, true},
		{syscall.EACCES, true},
		{syscall.ENOLCK, false},
		{syscall.ENOTSUP, false},
		{&os.PathError{Op: "open", Path: "store/LOCK", Err: syscall.EACCES}, false},
	} {
		_, err := Open("store", Options{FS: noLocks{vfs.NewMem(), c.err}})
		if _, inUse := errors.AsType[*InUseError](err); inUse != c.inUse || !inUse && !errors.Is(err, c.err) {
			t.Errorf("%v: Open says %v", c.err, err)
		}
	}
}

// plant writes keys into a database behind the store's back.
func plant(t *testing.T, fs vfs.FS, keys ...[]byte) {
	t.Helper()
	db, err := pebble.Open("store", &pebble.Options{FS: fs, Logger: pebbleLogger{&Store{opt: Options{Logger: slog.New(slog.DiscardHandler)}}}})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(keys); i += 2 {
		if err := db.Set(keys[i], keys[i+1], pebble.Sync); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestIdentityStays(t *testing.T) {
	fs := vfs.NewMem()
	s := openOnce(t, fs)
	id := s.ID()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openOnce(t, fs)
	if id == 0 || s.ID() != id {
		t.Errorf("identity %x, then %x", id, s.ID())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if other := openMem(t, Options{}); other.ID() == id {
		t.Error("two stores have one identity")
	}
}

func openOnce(t *testing.T, fs vfs.FS) *Store {
	t.Helper()
	s, err := Open("store", Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// On a full disk only what would need it is refused.
func TestReserveRefusesWritesOnly(t *testing.T) {
	fs := vfs.NewMem()
	s := openMem(t, Options{FS: fs, ReserveBytes: 1000})
	a, b := made(1, 1, 100, "a"), made(2, 1, 101, "b")
	profile, passing := made(3, 0, 100, ""), made(4, 20000, 100, "")
	commit(t, s, incomingOf(a), incomingOf(profile), incomingOf(passing))
	fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 999})
	forged := incomingOf(made(5, 1, 100, ""))
	forged.Forged = true
	verdicts, entries := commit(t, s, incomingOf(a), incomingOf(b), forged,
		incomingOf(made(6, 0, 99, "")), incomingOf(made(7, 0, 101, "")), incomingOf(made(8, 10002, 100, "")),
		incomingOf(passing), incomingOf(made(9, 20000, 100, "")))
	want := []Verdict{verdictDuplicate, verdictFull, verdictForged,
		verdictReplaced, verdictFull, verdictFull,
		verdictEphemeral, verdictFull}
	if !slices.Equal(verdicts, want) {
		t.Errorf("verdicts on a full disk:\ngot  %v\nwant %v", verdicts, want)
	}
	if len(entries) > 0 || s.Head() != 3 || s.DiskOK() {
		t.Errorf("entries %v, head %d, DiskOK %v on a full disk", entries, s.Head(), s.DiskOK())
	}
	checked(t, s)
	withView(t, s, func(v *View) {
		if res, err := v.Scan(ScanRequest{Filters: []nostr.Filter{nostr.All()}}); err != nil || len(res.Events) != 2 {
			t.Errorf("scan on a full disk: %d events, %v", len(res.Events), err)
		}
	})
	fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1000})
	if verdicts, _ := commit(t, s, incomingOf(b)); verdicts[0].Outcome != relaypb.Outcome_NEW {
		t.Errorf("verdict %v when there is space again", verdicts[0])
	}
	for i, c := range []struct {
		reserve int64
		want    Verdict
	}{{1001, verdictFull}, {0, verdictFull}, {-1, verdictEphemeral}} { // 0: the default, which is more
		s.Adjust(c.reserve, time.Hour)
		if verdicts, _ := commit(t, s, incomingOf(made(byte(20+i), 20000, 100, ""))); verdicts[0] != c.want {
			t.Errorf("reserve %d: verdict %v", c.reserve, verdicts[0])
		}
	}
}

// made makes up an event; its id says which it is and is not that of NIP-01.
func made(n byte, kind nostr.Kind, at int64, content string, tags ...nostr.Tag) *nostr.Event {
	return &nostr.Event{ID: nostr.EventID{n}, PubKey: nostr.PubKey{1}, CreatedAt: at, Kind: kind, Tags: tags, Content: content}
}

func TestReadersSeeOnlyWhatWasWaitedFor(t *testing.T) {
	s := openMem(t, Options{})
	c1, err := s.Commit([]Incoming{incomingOf(made(1, 1, 1, ""))})
	if err != nil {
		t.Fatal(err)
	}
	c2, err := s.Commit([]Incoming{incomingOf(made(1, 1, 1, "")), incomingOf(made(2, 1, 1, ""))})
	if err != nil {
		t.Fatal(err)
	}
	if c2.Verdicts[0].Outcome != relaypb.Outcome_DUPLICATE {
		t.Errorf("a commit does not see the one before: %v", c2.Verdicts)
	}
	want := func(head subject.Seq) {
		t.Helper()
		withView(t, s, func(v *View) {
			res, err := v.Scan(ScanRequest{Filters: []nostr.Filter{nostr.All()}})
			if err != nil || v.Seq() != head || len(res.Events) != int(head) || res.AsOf != head {
				t.Errorf("view at %d with %d events as of %d (%v), want %d", v.Seq(), len(res.Events), res.AsOf, err, head)
			}
		})
	}
	want(0)
	if _, _, err := c2.Wait(); err == nil {
		t.Error("Wait out of order works")
	}
	if _, _, err := c1.Wait(); err != nil {
		t.Fatal(err)
	}
	want(1)
	if entries, head, err := c2.Wait(); err != nil || head != 2 || len(entries) != 1 {
		t.Errorf("second Wait: %v, head %d, %v", entries, head, err)
	}
	want(2)
}

func TestClosedStoreRefuses(t *testing.T) {
	s := openOnce(t, vfs.NewMem())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Commit: %v", err)
	}
	if _, err := s.View(); !errors.Is(err, ErrClosed) {
		t.Errorf("View: %v", err)
	}
	if _, err := s.Expire(time.Now()); !errors.Is(err, ErrClosed) {
		t.Errorf("Expire: %v", err)
	}
}

// An ephemeral event that came before the clock was set back holds up nothing,
// and is not taken for known.
func TestExpiryAfterClockIsSetBack(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	s := openMem(t, Options{EphemeralKeep: time.Minute, Now: func() time.Time { return now }})
	commit(t, s, incomingOf(made(1, 20000, 1, "")))
	now = now.Add(-time.Hour)
	if _, entries := commit(t, s, incomingOf(made(1, 20000, 1, "")), incomingOf(made(2, 20000, 1, ""))); len(entries) != 2 {
		t.Errorf("after the clock was set back: %v", entries)
	}
	now = now.Add(time.Minute + time.Millisecond)
	if more, err := s.Expire(now); more || err != nil {
		t.Errorf("Expire: more %v, %v", more, err)
	}
	commit(t, s, incomingOf(made(3, 1, 1, ""))) // shows it
	if rep := checked(t, s); rep.Ephemeral != 0 || rep.Forgotten != 3 {
		t.Errorf("%d are left, %d forgotten", rep.Ephemeral, rep.Forgotten)
	}
}
