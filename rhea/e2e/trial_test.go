package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"rhea/proto/nostr"
)

// big lets a test read back everything it wrote in one query.
var big = []string{"RHEA_LIMITS_MAX_LIMIT=1000000", "RHEA_LIMITS_DEFAULT_LIMIT=1000000"}

// trial is a relay under load, with subscribers and queries, to which something
// is done.
type trial struct {
	*load
	watchers []*watcher
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	answered int // queries
	refusals int // queries answered with CLOSED
}

func startTrial(t *testing.T, url string, connections, window int) *trial {
	return startTrialBy(t, func(int, int) (*client, error) { return connect(url) }, connections, window)
}

func startTrialBy(t *testing.T, dial dialer, connections, window int) *trial {
	x := &trial{load: startLoadBy(t, dial, connections, window), watchers: make([]*watcher, 2*topics)}
	ctx, cancel := context.WithCancel(t.Context())
	x.cancel = cancel
	for i := range x.watchers {
		x.watchers[i] = &watcher{topic: i % topics}
		x.wg.Go(func() { x.watchers[i].run(ctx, t, func(n int) (*client, error) { return dial(i, n) }) })
	}
	x.wg.Go(func() { x.ask(ctx) })
	return x
}

// finish ends the load and checks what the relay owes: every accepted event is
// found, and every subscription that still lives got each of its events once;
// those whose connection was lost got what they got once.
func (x *trial) finish() {
	t := x.t
	t.Helper()
	x.stop()
	connections := 0
	for i, w := range x.watchers {
		last, ok := w.living()
		if !ok {
			t.Errorf("watcher %d has no subscription", i)
			continue
		}
		if err := x.awaitAll(last.c, last.subscription, w.topic); err != nil {
			t.Errorf("watcher %d: %v", i, err)
		}
	}
	x.cancel()
	x.wg.Wait()
	for i, w := range x.watchers {
		connections += len(w.lives)
		for k, s := range w.lives {
			who := fmt.Sprintf("watcher %d, connection %d of %d (EOSE after %d)", i, k+1, len(w.lives), s.eose)
			if k == len(w.lives)-1 {
				x.exactlyOnce(s.all(), w.topic, who)
			} else {
				once(t, s.all(), who)
			}
			s.c.close()
		}
	}
	t.Logf("%d events accepted, refused %v, %d publishers' connections lost; %d subscriptions on %d connections; %d queries answered, %d of them CLOSED",
		x.count(), x.refused, x.lost, len(x.watchers), connections, x.answered, x.refusals)
	c, err := x.dial(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for topic := range topics {
		got, err := c.query("after", fmt.Sprintf(`{"#t":["topic%d"]}`, topic))
		if err != nil {
			t.Fatal(err)
		}
		x.exactlyOnce(got, topic, "a query afterwards")
	}
}

// undisturbed checks that no client saw an error or lost its connection.
func (x *trial) undisturbed() {
	x.t.Helper()
	if len(x.refused) > 0 || x.lost > 0 || x.refusals > 0 {
		x.t.Errorf("clients saw it: refused %v, %d connections lost, %d queries CLOSED", x.refused, x.lost, x.refusals)
	}
	for i, w := range x.watchers {
		if len(w.lives) != 1 {
			x.t.Errorf("watcher %d needed %d connections", i, len(w.lives))
		}
	}
}

// once checks a subscription whose connection was lost in the middle.
func once(t *testing.T, got []nostr.EventID, who string) {
	t.Helper()
	seen := map[nostr.EventID]bool{}
	for _, id := range got {
		if seen[id] {
			t.Errorf("%s: %s came twice", who, id)
		}
		seen[id] = true
	}
}

// watcher holds a live subscription to one topic for as long as its connection
// lives, and opens another when that is lost.
type watcher struct {
	topic int
	mu    sync.Mutex
	lives []life
}

// living waits until the watcher has a subscription whose connection lives.
func (w *watcher) living() (life, bool) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		w.mu.Lock()
		n := len(w.lives)
		var last life
		if n > 0 {
			last = w.lives[n-1]
		}
		w.mu.Unlock()
		if n == 0 {
			continue
		}
		select {
		case <-last.c.gone:
		default:
			return last, true
		}
	}
	return life{}, false
}

type life struct {
	*subscription
	c *client
}

func (w *watcher) run(ctx context.Context, t *testing.T, connect func(n int) (*client, error)) {
	for n := 0; ctx.Err() == nil; n++ {
		c, err := connect(n)
		if err != nil {
			sleep(ctx, 20*time.Millisecond)
			continue
		}
		s, err := c.subscribe("live", fmt.Sprintf(`{"#t":["topic%d"]}`, w.topic))
		if err == nil {
			err = c.waitEOSE(s)
		}
		if err != nil {
			// A REQ may be refused with `error:` while something is down, or its
			// connection lost; it may not stay unanswered.
			if err == errSilent {
				t.Error("a REQ was not answered")
			}
			c.close()
			sleep(ctx, 20*time.Millisecond)
			continue
		}
		w.mu.Lock()
		w.lives = append(w.lives, life{s, c})
		w.mu.Unlock()
		select {
		case <-c.gone:
		case <-ctx.Done():
			return
		}
	}
}

// ask sends queries one after another; each must be answered.
func (x *trial) ask(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		c, err := x.dial(0, n)
		if err != nil {
			sleep(ctx, 20*time.Millisecond)
			continue
		}
		for i := 0; ctx.Err() == nil; i++ {
			_, err := c.query(fmt.Sprint(i), fmt.Sprintf(`{"#t":["topic%d"],"limit":50}`, i%topics))
			switch {
			case err == errGone:
			case err == errSilent:
				x.t.Error("a REQ was not answered")
			case err != nil:
				x.refusals++
				fallthrough
			default:
				x.answered++
			}
			if err == errGone {
				break
			}
			sleep(ctx, 5*time.Millisecond)
		}
		c.close()
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
