package store

import (
	"testing"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// follower knows the store only from its log.
type follower struct {
	next   subject.Seq
	events map[nostr.EventID]int64 // created_at
}

func (f *follower) follow(t *testing.T, s *Store, maxBytes int) {
	t.Helper()
	withView(t, s, func(v *View) {
		r, err := v.Log(f.next, maxBytes)
		if err != nil {
			t.Fatal(err)
		}
		if r.From != uint64(f.next) || r.Store != s.ID() || r.Head != uint64(v.Seq()) {
			t.Fatalf("asked from %d, got %d of store %x, head %d", f.next, r.From, r.Store, r.Head)
		}
		for _, e := range r.Entries {
			if e.Seq < uint64(f.next) || e.Seq >= r.Next {
				t.Fatalf("entry %d in the range %d to %d", e.Seq, r.From, r.Next)
			}
			f.next = subject.Seq(e.Seq) + 1
			f.apply(t, e)
		}
		f.next = subject.Seq(r.Next)
	})
}

func (f *follower) apply(t *testing.T, e *relaypb.Entry) {
	t.Helper()
	for _, r := range e.Removed {
		if at, ok := f.events[nostr.EventID(r.Id)]; ok && at != r.CreatedAt {
			t.Fatalf("entry %d removes %x, created at %d: %v", e.Seq, r.Id, at, r)
		}
		delete(f.events, nostr.EventID(r.Id))
	}
	if h := nostr.Header(e.Header); len(h) > 0 && !h.Kind().IsEphemeral() {
		f.events[h.ID()] = h.CreatedAt()
	}
}
