package store

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"rhea/proto/nostr"
)

// naming returns a tag for the id of each event.
func naming(events []*nostr.Event) (tags []nostr.Tag) {
	for _, e := range events {
		tags = append(tags, nostr.Tag{"e", e.ID.String()})
	}
	return tags
}

// Naming somebody else's large event thousands of times reads nothing of it.
func TestDeletionReadsNoForeignEvents(t *testing.T) {
	s := openMem(t, Options{})
	event := many(7, 1, 1)[0]
	event.Content = strings.Repeat("x", 200_000)
	load(t, s, []*nostr.Event{event})
	var tags []nostr.Tag
	for range 3000 {
		tags = append(tags, naming([]*nostr.Event{event})...)
	}
	request := incomingOf(made(50, kindDeletion, 5000, "", tags...))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	commit(t, s, request)
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 100<<20 {
		t.Errorf("%d MiB for a request of %d KiB", got>>20, len(request.JSON)>>10)
	}
	if rep := checked(t, s); rep.Events != 2 || rep.Deletions != 0 {
		t.Errorf("%+v", rep)
	}
}

// A deletion request, and events that replace others, can remove so much that it goes
// to Pebble in pieces. Readers see it at once or not at all; a crash between pieces
// leaves a store in order, and when the request is sent again, what it asks for is done.
func TestRemovalInPieces(t *testing.T) {
	for _, piece := range []int{1, 20_000, 50_000} {
		t.Run(fmt.Sprint(piece), func(t *testing.T) { removeInPieces(t, piece) })
	}
}

func removeInPieces(t *testing.T, piece int) {
	fs := vfs.NewCrashableMem()
	s := openMem(t, Options{FS: fs})
	s.w.piece = piece
	var tags []nostr.Tag
	for i := range 50 {
		tags = append(tags, nostr.Tag{"x", fmt.Sprint(i)})
	}
	doomed := many(1, 1, 100, tags...)
	old, next := many(2, 30000, 30, tags...), many(2, 30000, 30)
	for i := range old {
		d := nostr.Tag{"d", fmt.Sprint(i)}
		old[i].Tags, next[i].Tags = append([]nostr.Tag{d}, tags...), []nostr.Tag{d}
		next[i].CreatedAt, next[i].ID[31] = 9000, 1
	}
	load(t, s, append(doomed, old...))
	batch := []Incoming{incomingOf(made(200, kindDeletion, 5000, "", naming(doomed)...))}
	for _, e := range next {
		batch = append(batch, incomingOf(e))
	}
	f := &follower{next: 1, events: map[nostr.EventID]int64{}}
	f.follow(t, s, 1<<20)

	verdicts, err := s.w.decideAll(batch, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range verdicts {
		if v != verdictNew {
			t.Error(v)
		}
	}
	if err := s.db.LogData(nil, pebble.Sync); err != nil { // all pieces but the last reach the disk
		t.Fatal(err)
	}
	survivor := openMem(t, Options{FS: fs.CrashClone(vfs.CrashCloneCfg{})})
	if rep := checked(t, survivor); rep.Removed == 0 || piece > 1 && rep.Removed >= 130 {
		t.Errorf("no crash in the middle: %+v", rep)
	}
	commit(t, survivor, batch...)
	if rep := checked(t, survivor); rep.Events != 31 || rep.Removed != 130 {
		t.Errorf("sent again after a crash: %+v", rep)
	}

	withView(t, s, func(v *View) {
		if v.Seq() != f.next-1 {
			t.Errorf("before Wait a reader is at %d", v.Seq())
		}
	})
	c, err := s.apply()
	if err != nil {
		t.Fatal(err)
	}
	entries, _, err := c.Wait()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		f.apply(t, e)
	}
	if rep := checked(t, s); rep.Events != 31 || rep.Removed != 130 || len(f.events) != 31 {
		t.Errorf("%d entries, a follower has %d events: %+v", len(entries), len(f.events), rep)
	}
}

// A step of Sweep is also bounded by the size of what it removes.
func TestStepsOfLargeEvents(t *testing.T) {
	s := openMem(t, Options{})
	events := many(1, 1, 20, nostr.Tag{"expiration", "5"})
	for _, e := range events {
		e.Content = strings.Repeat("x", maxRead/4)
	}
	load(t, s, events)
	for more, steps := true, 0; more; steps++ {
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
		if len(entries) != 1 || len(entries[0].Removed) > 4 {
			t.Errorf("step %d removed too much: %v", steps, entries)
		}
	}
	if rep := checked(t, s); rep.Removed != 20 {
		t.Errorf("%+v", rep)
	}
}
