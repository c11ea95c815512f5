package writer

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/proto"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
)

// fed is what a follower that reads all that is published knows.
type fed struct {
	t      *testing.T
	next   uint64
	events map[nostr.EventID]int64
}

func (f *fed) take(pieces []*relaypb.Entries) {
	f.t.Helper()
	for _, p := range pieces {
		if p.From != f.next {
			f.t.Fatalf("published from %d, want %d", p.From, f.next)
		}
		if size := proto.Size(&relaypb.LogInbox{Body: &relaypb.LogInbox_Entries{Entries: p}}); size > bus.MaxMessage {
			f.t.Fatalf("a message of %d bytes", size)
		}
		f.next = p.Next
		for _, e := range p.Entries {
			for _, r := range e.Removed {
				if at, ok := f.events[nostr.EventID(r.Id)]; !ok || at != r.CreatedAt {
					f.t.Fatalf("entry %d removes %x of %d", e.Seq, r.Id, r.CreatedAt)
				}
				delete(f.events, nostr.EventID(r.Id))
			}
			if h := nostr.Header(e.Header); len(h) > 0 {
				f.events[h.ID()] = h.CreatedAt()
			}
		}
	}
}

// post admits events and waits until all are stored.
func (w *world) post(events []*nostr.Event, vanish bool) {
	w.t.Helper()
	for some := range slices.Chunk(events, 256) {
		for _, e := range some {
			a := admittedOf(e)
			a.Vanish = vanish
			w.admit(a)
		}
		w.flush()
		for range some {
			if v := w.verdict(); v.Outcome != relaypb.Outcome_NEW {
				w.t.Fatal(v)
			}
		}
	}
}

func notes(n int, tags ...nostr.Tag) []*nostr.Event {
	var events []*nostr.Event
	for i := range n {
		e := &nostr.Event{PubKey: nostr.PubKey{1}, Kind: 1, CreatedAt: int64(1000 + i), Tags: tags, Content: fmt.Sprint(i)}
		e.ID = e.ComputeID()
		events = append(events, e)
	}
	return events
}

// A request to vanish has its effect when it is answered, and is carried out in
// steps, of which who follows the log hears.
func TestVanishIsSwept(t *testing.T) {
	w := newWorld(t)
	r := w.start(memConfig(), vfs.NewMem())
	defer r.stop()
	f := &fed{t, 1, map[nostr.EventID]int64{}}
	events := notes(1300)
	w.post(events, false)
	request := &nostr.Event{ID: nostr.EventID{62}, PubKey: nostr.PubKey{1}, Kind: 62, CreatedAt: 2199}
	w.post([]*nostr.Event{request}, true)
	if left, _ := w.all("{}", 0); len(left) != 101 {
		t.Errorf("%d events are shown after the verdict, want 101", len(left))
	}
	w.admit(admittedOf(events[0]))
	w.flush()
	if v := w.verdict(); v.Outcome != relaypb.Outcome_BLOCKED || v.Text != "blocked: vanished" {
		t.Error(v)
	}
	eventually(t, "all is removed", func() bool {
		f.take(w.published())
		return len(f.events) == 101
	})
	if left, _ := w.all("{}", 0); len(left) != 101 {
		t.Errorf("%d events are left, want 101", len(left))
	}
}

// What has expired is removed soon, by itself.
func TestExpiredIsSwept(t *testing.T) {
	w := newWorld(t)
	r := w.start(memConfig(), vfs.NewMem())
	defer r.stop()
	f := &fed{t, 1, map[nostr.EventID]int64{}}
	w.post(notes(10, nostr.Tag{"expiration", "1000000"}), false)
	w.post([]*nostr.Event{{ID: nostr.EventID{9}, Kind: 1, CreatedAt: 1,
		Tags: []nostr.Tag{{"expiration", fmt.Sprint(time.Now().Unix() + 100_000)}}}}, false)
	eventually(t, "they are removed", func() bool {
		f.take(w.published())
		return f.next > 12 && len(f.events) == 1
	})
}

// A deletion request of the largest size removes all it names, and what it leaves
// in the log fits the bus.
func TestLargeDeletion(t *testing.T) {
	w := newWorld(t)
	cfg := memConfig()
	cfg.MemTable = 64 << 20 // under the race detector Pebble takes a millisecond for a look-up in a table
	r := w.start(cfg, vfs.NewMem())
	defer r.stop()
	const targets = 7000
	events := notes(targets)
	w.post(events, false)
	request := &nostr.Event{PubKey: nostr.PubKey{1}, Kind: 5, CreatedAt: 5000}
	for _, e := range events {
		request.Tags = append(request.Tags, nostr.Tag{"e", e.ID.String()})
	}
	request.ID = request.ComputeID()
	w.post([]*nostr.Event{request}, false)
	published := &fed{t, 1, map[nostr.EventID]int64{}}
	published.take(w.published())
	if len(published.events) != 1 {
		t.Errorf("who listens still knows %d events", len(published.events))
	}
	fetched := &fed{t, targets + 1, map[nostr.EventID]int64{}}
	for _, e := range events {
		fetched.events[e.ID] = e.CreatedAt
	}
	for end := published.next; fetched.next < end; {
		fetched.take([]*relaypb.Entries{w.fetch(fetched.next, 0)})
	}
	if len(fetched.events) != 1 {
		t.Errorf("who fetches still knows %d events", len(fetched.events))
	}
}
