package store

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// sweepUp takes all steps and returns what they remove.
func sweepUp(t *testing.T, s *Store, now time.Time) (removed []*relaypb.Removed) {
	t.Helper()
	for more := true; more; {
		c, again, err := s.Sweep(now)
		if err != nil {
			t.Fatal(err)
		}
		if more = again; c == nil {
			continue
		}
		entries, _, err := c.Wait()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if len(e.Removed) > maxRemovals {
				t.Errorf("an entry with %d removals", len(e.Removed))
			}
			removed = append(removed, e.Removed...)
		}
	}
	return removed
}

// many makes events of one author.
func many(author byte, kind nostr.Kind, n int, tags ...nostr.Tag) []*nostr.Event {
	var events []*nostr.Event
	for i := range n {
		e := made(author, kind, int64(1000+i%700), "", tags...)
		e.PubKey, e.ID = nostr.PubKey{author}, nostr.EventID{author, byte(kind), byte(i >> 8), byte(i)}
		events = append(events, e)
	}
	return events
}

// A crash at any step of a great request to vanish changes nothing of what is
// shown, and what is left to remove is removed then.
func TestCrashWhileVanishing(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 6))
	fs := vfs.NewCrashableMem()
	s := openMem(t, Options{FS: fs})
	p := nostr.Tag{"p", nostr.PubKey{1}.String()}
	load(t, s, many(1, 1, 1300))
	load(t, s, many(2, 1, 300, p))
	load(t, s, many(3, 1059, 900, p))
	load(t, s, many(4, 1059, 300, nostr.Tag{"p", nostr.PubKey{9}.String()}))
	request := made(200, kindVanish, 2000, "")
	commit(t, s, incomingOf(request))
	const covered, rest = 1300 + 900, 300 + 300 + 1
	interrupted := 0
	for more := true; more; {
		// With or without the step: some of what is not synced is lost.
		c, again, err := s.Sweep(time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		image := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		if more = again; c != nil {
			if _, _, err := c.Wait(); err != nil {
				t.Fatal(err)
			}
		}
		survivor, err := Open("store", Options{FS: image})
		if err != nil {
			t.Fatal(err)
		}
		rep := checked(t, survivor)
		if rep.Events-rep.Hidden != rest || rep.Hidden+rep.Removed != covered || rep.Hidden > 0 && rep.Vanishing == 0 {
			t.Fatalf("after a crash: %+v", rep)
		}
		if rep.Hidden > 0 && rep.Hidden < covered {
			interrupted++
		}
		verdicts, _ := commit(t, survivor, incomingOf(many(1, 1, 1)[0]), incomingOf(many(3, 1059, 1, p)[0]))
		for _, v := range verdicts {
			if v != verdictVanished {
				t.Errorf("sent again after a crash: %v", v)
			}
		}
		if n := len(sweepUp(t, survivor, time.Unix(0, 0))); n != int(rep.Hidden) {
			t.Errorf("%d removed after a crash, want %d", n, rep.Hidden)
		}
		if rep := checked(t, survivor); rep.Events != rest || rep.Hidden+rep.Vanishing > 0 || rep.Removed != covered {
			t.Errorf("after sweeping up: %+v", rep)
		}
		if err := survivor.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if interrupted < 3 {
		t.Errorf("only %d crashes in the middle", interrupted)
	}
}

// Each step is bounded, also where there is little to remove among much to look at.
func TestStepsAreBounded(t *testing.T) {
	s := openMem(t, Options{})
	p := nostr.Tag{"p", nostr.PubKey{1}.String()}
	load(t, s, many(2, 1, 100))
	load(t, s, many(3, kindGiftWrap, 100, p))
	load(t, s, many(1, kindVanish, 5000)) // these stay
	for i, e := range many(4, 1, 1200, nostr.Tag{"expiration", "5"}) {
		e.Content = fmt.Sprint(i)
		commit(t, s, incomingOf(e))
	}
	steps, removed := 0, 0
	for more := true; more; steps++ {
		c, again, err := s.Sweep(time.Unix(10, 0))
		if err != nil {
			t.Fatal(err)
		}
		if more = again; c == nil {
			continue
		}
		entries, _, err := c.Wait()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			removed += len(e.Removed)
		}
		if len(entries) > 1 || len(entries) == 1 && len(entries[0].Removed) > maxRemovals {
			t.Errorf("step %d has %d entries", steps, len(entries))
		}
	}
	if want := 1200 + 100; removed != want || steps < 5 {
		t.Errorf("%d removed in %d steps, want %d", removed, steps, want)
	}
	checked(t, s)
	if c, more, err := s.Sweep(time.Unix(10, 0)); c != nil || more || err != nil {
		t.Errorf("nothing is left: %v, more %v, %v", c, more, err)
	}
}

// Who asks to vanish again and again does not keep others waiting.
func TestVanishingTakesTurns(t *testing.T) {
	s := openMem(t, Options{})
	load(t, s, many(1, kindVanish, 4000)) // these stay, and all are looked at each time
	load(t, s, many(9, 1, 10))
	victim := made(200, kindVanish, 5000, "")
	victim.PubKey = nostr.PubKey{9}
	commit(t, s, incomingOf(victim))
	for i := range 20 {
		again := made(201, kindVanish, int64(10_000+i), "")
		again.ID[1] = byte(i)
		commit(t, s, incomingOf(again))
		c, _, err := s.Sweep(time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		if c != nil {
			if _, _, err := c.Wait(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, waits := s.w.vanishing[victim.PubKey]; waits {
		t.Error("still waiting for its turn")
	}
}

// Thousands of events can expire in one second: a step goes on behind what those before
// it have removed, and still finds what has come since.
func TestManyExpireAtOnce(t *testing.T) {
	s := openMem(t, Options{})
	s.w.sweeper.most = 10
	load(t, s, many(1, 1, 25, nostr.Tag{"expiration", "5"}))
	for _, want := range []subject.Seq{11, 21} {
		if c, _, err := s.Sweep(time.Unix(10, 0)); err != nil {
			t.Fatal(err)
		} else if _, _, err := c.Wait(); err != nil {
			t.Fatal(err)
		}
		if s.w.sweeper.expired != 5 || s.w.sweeper.seq != want {
			t.Errorf("goes on at %d of second %d, want %d of second 5", s.w.sweeper.seq, s.w.sweeper.expired, want)
		}
	}
	commit(t, s, incomingOf(made(1, 1, 9, "", nostr.Tag{"expiration", "4"})), incomingOf(made(2, 1, 9, "", nostr.Tag{"expiration", "5"})))
	if n := len(sweepUp(t, s, time.Unix(10, 0))); n != 5+2 {
		t.Errorf("%d removed at last", n)
	}
	if rep := checked(t, s); rep.Events != 0 {
		t.Errorf("%+v", rep)
	}
}

// While the disk is full, what would need it is not begun: removing takes room
// before it makes any.
func TestSweepOnAFullDisk(t *testing.T) {
	fs := vfs.NewMem()
	s := openMem(t, Options{FS: fs, ReserveBytes: 1000})
	commit(t, s, incomingOf(made(1, 1, 100, "", nostr.Tag{"expiration", "5"})), incomingOf(made(2, 1, 100, "")))
	fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 999})
	verdicts, entries := commit(t, s, incomingOf(made(3, kindVanish, 200, "")), incomingOf(made(4, kindDeletion, 200, "", nostr.Tag{"e", nostr.EventID{2}.String()})))
	if verdicts[0] != verdictFull || verdicts[1] != verdictFull || len(entries) > 0 || s.Vanishing() {
		t.Errorf("requests on a full disk: %v, %v", verdicts, entries)
	}
	if c, more, err := s.Sweep(time.Unix(10, 0)); c != nil || more || err != nil {
		t.Errorf("a sweep on a full disk: %v, more %v, %v", c, more, err)
	}
	fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1000})
	if n := len(sweepUp(t, s, time.Unix(10, 0))); n != 1 {
		t.Errorf("%d removed when there is room again", n)
	}
	checked(t, s)
}

// A view that was taken before a sweep has what that removes, and goes on hiding
// it.
func TestOldViewsHide(t *testing.T) {
	s := openMem(t, Options{})
	one, two := many(1, 1, 1)[0], many(2, 1, 1)[0]
	first, second := made(201, kindVanish, 5000, ""), made(202, kindVanish, 5000, "")
	second.PubKey = nostr.PubKey{2}
	commit(t, s, incomingOf(one), incomingOf(two), incomingOf(first))
	hides := func(v *View, want ...bool) {
		t.Helper()
		for i, e := range []*nostr.Event{one, two} {
			if got := v.hidden(nostr.AppendHeader(nil, e)); got != want[i] {
				t.Errorf("the view of %d hides event %d: %v", v.Seq(), i+1, got)
			}
		}
	}
	withView(t, s, func(old *View) {
		commit(t, s, incomingOf(second))
		hides(old, true, false)
		withView(t, s, func(later *View) {
			sweepUp(t, s, time.Unix(0, 0))
			hides(old, true, false)
			hides(later, true, true)
		})
	})
	withView(t, s, func(v *View) {
		if v.hides() {
			t.Error("something is hidden after all is removed")
		}
	})
}
