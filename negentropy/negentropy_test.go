package negentropy

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/subject"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// relay is the stage with a writer and a gateway of the tests' own around it.
type relay struct {
	t       *testing.T
	rng     *rand.Rand
	mem     *bus.Memory
	writer  *fakeWriter
	gateway *fakeGateway
	stage   *runningStage
}

// withRelay runs f in a bubble, with events in the store.
func withRelay(t *testing.T, cfg Config, events int, f func(r *relay)) {
	rng := seed(t)
	synctest.Test(t, func(t *testing.T) {
		var running sync.WaitGroup
		ctx, cancel := context.WithCancel(context.Background())
		defer running.Wait()
		defer cancel()
		r := &relay{t: t, rng: rng, mem: bus.NewMemory()}
		r.writer = startWriter(ctx, t, r.mem, newFakeStore(rng), &running)
		r.writer.churn(events)
		r.gateway = startGateway(ctx, t, r.mem, &running)
		r.stage = startStage(t, r.mem, cfg)
		defer r.stage.stop()
		f(r)
	})
}

// settle waits until the tree has seen all of the log.
func (r *relay) settle() { r.await(r.stage) }

func (r *relay) await(s *runningStage) {
	time.Sleep(2 * time.Second) // of the bubble
	for range 100 {
		if s.stat("position") == len(r.writer.store.entries) && s.stat("tree_state") == int(following) {
			return
		}
		time.Sleep(time.Second)
	}
	r.t.Fatal("the tree does not follow the log")
}

// randomFilter is one of each way to a set, and the keys that ask.
func (r *relay) randomFilter() (filter string, keys []nostr.PubKey) {
	now := time.Now().Unix()
	filter = []string{
		`{}`, `{}`,
		fmt.Sprintf(`{"since":%d}`, now-r.rng.Int64N(1000)),
		fmt.Sprintf(`{"until":%d}`, now-r.rng.Int64N(1000)),
		fmt.Sprintf(`{"since":%d,"until":%d}`, now-500-r.rng.Int64N(500), now-r.rng.Int64N(500)),
		fmt.Sprintf(`{"limit":%d}`, r.rng.IntN(400)),
		`{"kinds":[1,4]}`, `{"ids":[]}`,
		fmt.Sprintf(`{"authors":["%s"],"limit":50}`, someKeys[0]),
		fmt.Sprintf(`{"#p":["%s"]}`, someKeys[1]),
	}[r.rng.IntN(10)]
	for _, k := range someKeys {
		if r.rng.IntN(4) == 0 {
			keys = append(keys, k)
		}
	}
	return filter, keys
}

// some is about half of a set, and some that are not in it.
func (r *relay) some(theirs []item) (own []item) {
	keep := r.rng.IntN(3)
	for _, x := range theirs {
		if r.rng.IntN(2) < keep {
			own = append(own, x)
		}
	}
	for range r.rng.IntN(100) {
		own = append(own, randomItem(r.rng, time.Now().Unix()))
	}
	return own
}

// Over a store in which events come, go and expire, with a log that loses much of
// what is published: each session finds out exactly how the client's set differs
// from what its keys may see of the store as it was at the NEG-OPEN, however much
// changes while it goes on. Every message has one answer.
func TestSessionsAgainstOracle(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	cfg := DefaultConfig()
	cfg.FrameBytes = 4096
	withRelay(t, cfg, 2000, func(r *relay) {
		type open struct {
			c           *client
			own, theirs []item
		}
		var sessions []open
		turns := 0
		for range rounds {
			r.settle()
			r.writer.lossy.Store(false) // from now on: while a session waits for what was lost, events expire
			for i := range r.rng.Uint32N(4) {
				filter, keys := r.randomFilter()
				theirs := r.writer.store.oracle(filter, keys)
				own := r.some(theirs)
				sessions = append(sessions, open{r.gateway.open(i, filter, keys, own), own, theirs})
			}
			r.writer.churn(r.rng.IntN(100))
			for len(sessions) > 0 && r.rng.IntN(3) > 0 {
				s := sessions[0]
				sessions = sessions[1:]
				s.c.finish()
				s.c.check(s.own, s.theirs)
				turns += int(s.c.turn) + 1
			}
		}
		for _, s := range sessions {
			s.c.finish()
			s.c.check(s.own, s.theirs)
			turns += int(s.c.turn) + 1
		}
		synctest.Wait()
		if n := r.stage.stat("sessions"); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
		if len(r.gateway.answers) != turns || r.gateway.inbox.Waiting() > 0 {
			t.Errorf("%d answers to %d messages, more waiting: %d", len(r.gateway.answers), turns, r.gateway.inbox.Waiting())
		}
		for at, n := range r.gateway.answers {
			if n != 1 {
				t.Errorf("session and turn %v: %d answers", at, n)
			}
		}
	})
}

// What has been committed is in the set of every session that begins afterwards,
// and what has been removed is not, though the log is late, or lost.
func TestCommittedIsSeen(t *testing.T) {
	withRelay(t, DefaultConfig(), 200, func(r *relay) {
		r.settle()
		r.writer.lossy.Store(false)
		for i := range 200 {
			id := randomItem(r.rng, 1).ID
			r.writer.commit(nostr.AppendHeader(nil, &nostr.Event{ID: id, CreatedAt: int64(i), Kind: 1}))
			c := r.gateway.open(1, `{"until":200}`, nil, nil)
			c.finish()
			if err := sameIDs(c.Need, []nostr.EventID{id}); err != nil {
				t.Fatal(err)
			}
			r.writer.commit(nil, uint64(len(r.writer.store.entries)))
		}
	})
}

// An event is out of the tree in the second in which it expires, though nothing
// has removed it from the store, whether the tree has it from the scan or the log.
func TestExpiry(t *testing.T) {
	withRelay(t, DefaultConfig(), 0, func(r *relay) {
		at := time.Now().Unix() + 100
		expiring := func(id byte) nostr.Header {
			return nostr.AppendHeader(nil, &nostr.Event{ID: nostr.EventID{id}, CreatedAt: 5, Kind: 1, Tags: []nostr.Tag{{"expiration", fmt.Sprint(at)}}})
		}
		r.writer.commit(expiring(1))
		r.settle()
		r.writer.commit(expiring(2))
		r.settle()
		c := r.gateway.open(1, `{}`, nil, nil)
		if c.finish(); len(c.Need) != 2 {
			t.Fatalf("%d events before they expire", len(c.Need))
		}
		time.Sleep(time.Until(time.Unix(at, 0)))
		c = r.gateway.open(1, `{}`, nil, nil)
		if c.finish(); len(c.Need) != 0 {
			t.Errorf("%d events that have expired", len(c.Need))
		}
	})
}

// What readers must not see any more is in no session, though the log says nothing
// of it yet and the tree has it.
func TestHidden(t *testing.T) {
	withRelay(t, DefaultConfig(), 0, func(r *relay) {
		for i := range 20 {
			r.writer.commit(nostr.AppendHeader(nil, &nostr.Event{ID: randomItem(r.rng, 1).ID, CreatedAt: int64(i), Kind: 1}))
		}
		r.settle()
		r.writer.lossy.Store(false)
		r.writer.store.mu.Lock()
		r.writer.store.hidden = map[uint64]bool{3: true, 4: true}
		r.writer.store.mu.Unlock()
		for _, filter := range []string{`{}`, `{"since":1}`, `{"kinds":[1]}`} {
			theirs := r.writer.store.oracle(filter, nil)
			c := r.gateway.open(1, filter, nil, nil)
			c.finish()
			c.check(nil, theirs)
		}
		r.writer.store.mu.Lock()
		r.writer.store.hidden = nil
		r.writer.store.mu.Unlock()
		r.writer.commit(nil, 3, 4)
		c := r.gateway.open(1, `{}`, nil, nil)
		c.finish()
		c.check(nil, r.writer.store.oracle(`{}`, nil))
	})
}

// When the store turns out to be another, the tree is made anew.
func TestAnotherStore(t *testing.T) {
	withRelay(t, DefaultConfig(), 300, func(r *relay) {
		r.settle()
		s := r.writer.store
		s.mu.Lock()
		s.id, s.entries, s.live = 2, nil, map[uint64]nostr.Header{}
		s.mu.Unlock()
		r.writer.churn(200)
		time.Sleep(10 * time.Second)
		r.settle()
		r.writer.lossy.Store(false)
		theirs := s.oracle(`{}`, nil)
		c := r.gateway.open(1, `{}`, nil, nil)
		c.finish()
		c.check(nil, theirs)
	})
}

// A relay with too many events for a tree serves ranges of time by scans.
func TestTreeIsGivenUp(t *testing.T) {
	for _, events := range []int{10, 300} { // when it grows, and at once
		cfg := DefaultConfig()
		cfg.MaxTreeRecords, cfg.MaxRecords = 50, 60
		withRelay(t, cfg, events, func(r *relay) {
			time.Sleep(5 * time.Second)
			r.writer.churn(600)
			time.Sleep(5 * time.Second)
			if r.stage.stat("tree_state") != int(givenUp) || r.stage.stat("tree_records") != 0 {
				t.Fatal("the tree is still there")
			}
			r.writer.lossy.Store(false)
			for _, filter := range []string{`{}`, `{"since":1}`} {
				if c := r.gateway.open(1, filter, nil, nil); c.err != "blocked: "+tooBig || c.records != 60 {
					t.Errorf("%s: %q, at most %d", filter, c.err, c.records)
				}
			}
			filter := fmt.Sprintf(`{"until":%d}`, time.Now().Unix()-950)
			theirs := r.writer.store.oracle(filter, nil)
			c := r.gateway.open(1, filter, nil, nil)
			c.finish()
			c.check(nil, theirs)
		})
	}
}

// When a process stops, the other one of two serves all shards: sessions that it
// had go on, those of the first are unknown, and new ones are served.
func TestHandOver(t *testing.T) {
	cfg := DefaultConfig()
	cfg.FrameBytes = 4096 // so that one answer is not enough
	withRelay(t, cfg, 1000, func(r *relay) {
		other := startStage(t, r.mem, cfg)
		defer other.stop()
		r.settle()
		r.await(other)
		r.writer.lossy.Store(false)
		theirs := r.writer.store.oracle(`{}`, nil)
		var before []*client
		for i := range uint32(8) {
			before = append(before, r.gateway.open(i, `{}`, nil, theirs[:i]))
		}
		kept := other.stat("sessions")
		if kept+r.stage.stat("sessions") != 8 {
			t.Fatalf("%d and %d sessions", kept, r.stage.stat("sessions"))
		}
		r.stage.stop()
		for i, c := range before {
			if c.finish(); c.err == "" {
				kept--
				c.check(theirs[:i], theirs)
			} else if c.err != "closed: no such session" {
				t.Errorf("ended with %s", c.err)
			}
		}
		if kept != 0 {
			t.Errorf("%d sessions more should have gone on", kept)
		}
		for i := range uint32(8) {
			theirs := r.writer.store.oracle(`{}`, nil)
			c := r.gateway.open(i, `{}`, nil, nil)
			c.finish()
			c.check(nil, theirs)
		}
	})
}

// What was sent before the stop is answered, and what is broken or unknown harms
// nothing, even if there is no store.
func TestEveryMessageIsAnsweredAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := bus.NewMemory()
		var running sync.WaitGroup
		defer running.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		g := startGateway(ctx, t, mem, &running)
		s := startStage(t, mem, DefaultConfig())
		time.Sleep(time.Second) // of the bubble: until the shards are owned
		for i := range uint32(40) {
			conn, num := subject.MakeConnID(g.bus.Instance, i%4), uint64(2*i)
			broken := closeMsg(conn, num)
			broken.ProtoReflect().SetUnknown([]byte{0x0a, 0x7f, 1})
			g.send(openMsg(conn, num, []string{`{}`, `{"kinds":[1]}`, `{"ids":[]}`, `[]`}[i%4], []byte{0x61}))
			g.send(broken)
			g.send(nextMsg(conn, num+1, i, []byte{0x61}))
		}
		s.stop()
		for g.inbox.Waiting() > 0 {
			g.read(<-g.inbox.C())
		}
		if len(g.answers) != 80 {
			t.Errorf("%d answers to 80 messages", len(g.answers))
		}
		if s.env.Bus.Garbage() != 40 {
			t.Errorf("%d broken messages", s.env.Bus.Garbage())
		}
	})
}
