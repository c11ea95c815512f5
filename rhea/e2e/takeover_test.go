package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/subject"
)

// Everything that a relay runs is replaced under load, stage by stage and then all at
// once. Nothing accepted is lost, no EVENT of a living connection goes without OK, no
// EVENT and no query is refused; subscriptions are sent every event once for as long
// as their connection lives; the gateway's clients alone lose that, and fill the gap
// with since; and who connects meanwhile is let in.
func TestUpgradeUnderLoad(t *testing.T) {
	r := start(t, "up", "", nil, append([]string{"RHEA_GATEWAY_LEAVE_OVER=2s"}, big...)...)
	_, roster := onlooker(t, r.busURL())
	x := startTrial(t, r.url, 4, 16)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var around sync.WaitGroup
	keepers := make([]*keeper, topics)
	for i := range keepers {
		keepers[i] = &keeper{topic: i, seen: map[nostr.EventID]bool{}}
		around.Go(func() { keepers[i].run(ctx, t, r.url) })
	}
	visitors := 0
	around.Go(func() { visitors = knock(ctx, t, r.url) })
	for _, k := range keepers {
		k.await(t, 1)
	}

	replace := func(stages ...string) {
		before := map[subject.Stage]uint32{}
		for _, st := range subject.Stages() {
			before[st] = members(t, roster, st, 1)[0].Instance
		}
		x.until(100)
		began := time.Now()
		out, errs, err := r.rhea(nil, append([]string{"restart"}, stages...)...)
		if err != nil {
			t.Fatalf("rhea restart %v: %v\n%s%s", stages, err, out, errs)
		}
		t.Logf("rhea restart %v, in %s:\n%s", stages, time.Since(began).Round(time.Millisecond), out)
		for _, st := range subject.Stages() {
			wanted := len(stages) == 0 || stages[0] == string(st)
			if now := members(t, roster, st, 1)[0].Instance; (now != before[st]) != wanted {
				t.Errorf("rhea restart %v: %s was %08x and is %08x", stages, st, before[st], now)
			}
		}
	}
	lost := 0
	for _, st := range subject.Stages() {
		replace(string(st))
		if x.mu.Lock(); st != subject.Gateway && x.lost > lost {
			t.Errorf("%s: %d publishers lost their connection", st, x.lost-lost)
		}
		lost = x.lost
		x.mu.Unlock()
	}
	replace()
	x.until(300)
	for _, k := range keepers {
		k.await(t, 3)
	}
	x.finish()
	cancel()
	around.Wait()
	for _, k := range keepers {
		k.check(x.load)
	}
	if len(x.refused) > 0 || x.refusals > 0 {
		t.Errorf("refused: EVENTs %v, %d queries", x.refused, x.refusals)
	}
	if x.lost != 2*4 {
		t.Errorf("4 publishers lost their connection %d times, want twice each", x.lost)
	}
	t.Logf("%d visitors were let in", visitors)
	checkStore(t, r)
}

// keeper wants every event of a topic from its first on. It comes back when it loses
// its connection, and asks for what is not much older than the newest it has.
type keeper struct {
	topic int

	mu    sync.Mutex
	lives int
	seen  map[nostr.EventID]bool
}

// overlap is how far back a keeper asks, in seconds of the load's created_at: events
// of several authors come in no strict order.
const overlap = 60

func (k *keeper) run(ctx context.Context, t *testing.T, url string) {
	newest := int64(0)
	for ctx.Err() == nil {
		c, err := letIn(url)
		if err != nil {
			t.Errorf("a keeper is not let in: %v", err)
			return
		}
		s, err := c.subscribe("keep", fmt.Sprintf(`{"#t":["topic%d"],"since":%d}`, k.topic, max(0, newest-overlap)))
		if err == nil {
			err = c.waitEOSE(s)
		}
		if err != nil && err != errGone {
			t.Errorf("a keeper: %v", err)
		}
		if err == nil {
			k.mu.Lock()
			k.lives++
			k.mu.Unlock()
			select {
			case <-c.gone:
			case <-ctx.Done():
			}
		}
		c.close()
		once(t, s.all(), fmt.Sprintf("keeper %d", k.topic))
		k.mu.Lock()
		for _, id := range s.all() {
			k.seen[id] = true
		}
		newest = max(newest, s.newest)
		k.mu.Unlock()
	}
}

// await waits until the keeper has been there so many times.
func (k *keeper) await(t *testing.T, lives int) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		k.mu.Lock()
		n := k.lives
		k.mu.Unlock()
		if n >= lives {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("keeper %d is there for the %d. time, want %d", k.topic, n, lives)
		}
	}
}

func (k *keeper) check(l *load) {
	missing := 0
	for id := range l.of(k.topic) {
		if !k.seen[id] {
			missing++
		}
	}
	if missing > 0 {
		l.t.Errorf("keeper %d: %d of %d events are missing after %d connections", k.topic, missing, len(l.of(k.topic)), k.lives)
	}
}

// letIn connects, at the second try if the first one's handshake is reset: that can
// happen to one when a gateway closes its door (see the gateway's entrance).
func letIn(url string) (*client, error) {
	c, err := connect(url)
	if errors.Is(err, syscall.ECONNRESET) {
		c, err = connect(url)
	}
	return c, err
}

// knock connects and asks something, again and again: nobody is turned away. A
// gateway that leaves may send a visitor away before it has asked.
func knock(ctx context.Context, t *testing.T, url string) (visitors int) {
	for ; ctx.Err() == nil; visitors++ {
		c, err := letIn(url)
		if err != nil {
			t.Errorf("a visitor is not let in: %v", err)
			return visitors
		}
		if _, err := c.query("q", `{"limit":1}`); err != nil && err != errGone {
			t.Errorf("a visitor: %v", err)
		}
		c.close()
		sleep(ctx, 5*time.Millisecond)
	}
	return visitors
}
