package e2e

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
)

// topics is over how many values of #t the load spreads.
const topics = 5

// load publishes events as fast as the relay takes them, on several connections
// that come back when they are lost, and keeps what became of each.
type load struct {
	t       *testing.T
	dial    dialer
	quit    chan struct{}
	wg      sync.WaitGroup
	counter atomic.Uint64

	mu       sync.Mutex
	sent     map[nostr.EventID]int // topic
	accepted map[nostr.EventID]int
	refused  map[string]int
	lost     int // connections that ended
}

// dialer makes the connection of the i-th client of a kind, for the n-th time.
type dialer func(i, n int) (*client, error)

// startLoad begins with the given number of connections and of unanswered events
// on each.
func startLoad(t *testing.T, url string, connections, window int) *load {
	return startLoadBy(t, func(int, int) (*client, error) { return connect(url) }, connections, window)
}

func startLoadBy(t *testing.T, dial dialer, connections, window int) *load {
	l := &load{t: t, dial: dial, quit: make(chan struct{}),
		sent: map[nostr.EventID]int{}, accepted: map[nostr.EventID]int{}, refused: map[string]int{}}
	for i := range connections {
		l.wg.Go(func() { l.publisher(i, window) })
	}
	return l
}

// stop ends the load when every event is answered, or its connection lost.
func (l *load) stop() {
	close(l.quit)
	l.wg.Wait()
}

func (l *load) publisher(author, window int) {
	for n := 0; ; n++ {
		c, err := l.dial(author, n)
		if err == nil {
			l.run(c, uint64(author), window)
			c.close()
		}
		select {
		case <-l.quit:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// run publishes on one connection until it ends or the load does.
func (l *load) run(c *client, author uint64, window int) {
	slots := make(chan struct{}, window)
	var answers sync.WaitGroup
	defer answers.Wait()
	for {
		select {
		case <-l.quit:
			return
		case <-c.gone:
			l.mu.Lock()
			l.lost++
			l.mu.Unlock()
			return
		case slots <- struct{}{}:
		}
		e, topic := l.event(author)
		w, err := c.publishAsync(e.AppendJSON(nil), e.ID.String())
		if err != nil {
			<-slots
			continue
		}
		answers.Go(func() {
			defer func() { <-slots }()
			select {
			case o, answered := <-w:
				if answered {
					l.note(e.ID, topic, o)
				}
			case <-time.After(patience):
				l.t.Errorf("no OK for %s", e.ID)
			}
		})
	}
}

func (l *load) event(author uint64) (*nostr.Event, int) {
	n := l.counter.Add(1)
	topic := int(n % topics)
	e := &nostr.Event{
		CreatedAt: 1_700_000_000 + int64(n/7), Kind: 1, // ties are common
		Tags:    []nostr.Tag{{"t", fmt.Sprint("topic", topic)}},
		Content: fmt.Sprintf("note %d of a load test, %x", n, rand.Uint64()),
	}
	if err := nostrtest.Sign(e, nostrtest.Secret(author)); err != nil {
		panic(err)
	}
	l.mu.Lock()
	l.sent[e.ID] = topic
	l.mu.Unlock()
	return e, topic
}

func (l *load) note(id nostr.EventID, topic int, o ok) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o.accepted {
		l.accepted[id] = topic
	} else {
		l.refused[o.text]++
	}
}

// count returns how many events were accepted so far.
func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.accepted)
}

// tally says what became of the load so far.
func (l *load) tally() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%d events accepted, refused %v, %d publishers' connections lost", len(l.accepted), l.refused, l.lost)
}

// connectionsLost returns how many of the publishers' connections ended so far.
func (l *load) connectionsLost() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// of returns the accepted events of one topic.
func (l *load) of(topic int) map[nostr.EventID]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := map[nostr.EventID]bool{}
	for id, t := range l.accepted {
		if t == topic {
			ids[id] = true
		}
	}
	return ids
}

// until lets the load run until n more events were accepted.
func (l *load) until(n int) {
	l.t.Helper()
	target, late := l.count()+n, time.After(patience)
	for l.count() < target {
		select {
		case <-late:
			l.t.Fatalf("%d of %d events accepted; refused: %v", l.count(), target, l.refused)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// awaitAll waits until a subscription has been sent every accepted event of its
// topic. Others may have come too: some whose OK was lost with a connection.
func (l *load) awaitAll(c *client, s *subscription, topic int) error {
	missing, looked := l.of(topic), 0
	return c.wait(s, func() bool {
		for ; looked < len(s.events); looked++ {
			delete(missing, s.events[looked])
		}
		return len(missing) == 0
	})
}

// exactlyOnce checks what a subscription to a topic was sent against what was
// accepted (must all be there) and what was sent (nothing else may be).
func (l *load) exactlyOnce(got []nostr.EventID, topic int, who string) {
	l.t.Helper()
	seen := map[nostr.EventID]bool{}
	for _, id := range got {
		if seen[id] {
			l.t.Errorf("%s: %s came twice", who, id)
		}
		seen[id] = true
		if t, sent := l.sent[id]; !sent || t != topic {
			l.t.Errorf("%s: %s is not of this topic", who, id)
		}
	}
	missing := 0
	for id := range l.of(topic) {
		if !seen[id] {
			missing++
		}
	}
	if missing > 0 {
		l.t.Errorf("%s: %d of %d accepted events are missing", who, missing, len(l.of(topic)))
	}
}
