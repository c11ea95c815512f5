package e2e

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// Between the last stored event and the first live one nothing is lost and
// nothing comes twice: a hundred subscribers open subscriptions at random
// moments while writers publish at full speed.
func TestNoGapAtEOSE(t *testing.T) {
	for _, mode := range []string{"up", "solo"} {
		t.Run(mode, func(t *testing.T) {
			seed := rand.Uint64()
			t.Log("seed", seed)
			r := start(t, mode, "", nil, big...)
			l := startLoad(t, r.url, 4, 64)
			type opened struct {
				liveSub
				topic int
			}
			subs := make([]opened, 100)
			var wg sync.WaitGroup
			for i := range subs {
				rng := rand.New(rand.NewPCG(seed, uint64(i)))
				wg.Go(func() {
					time.Sleep(time.Duration(rng.IntN(4000)) * time.Millisecond)
					topic := rng.IntN(topics)
					c, err := connect(r.url)
					if err != nil {
						t.Error(err)
						return
					}
					t.Cleanup(c.close)
					s, err := c.subscribe("s", fmt.Sprintf(`{"#t":["topic%d"]}`, topic))
					if err == nil {
						err = c.waitEOSE(s)
					}
					if err != nil {
						t.Error(err)
						return
					}
					subs[i] = opened{liveSub{s, c}, topic}
				})
			}
			wg.Wait()
			l.until(500)
			l.stop()
			if t.Failed() {
				return
			}
			t.Logf("%d events accepted, refused %v", l.count(), l.refused)
			stored, live := 0, 0
			for i, s := range subs {
				if err := l.awaitAll(s.c, s.subscription, s.topic); err != nil {
					t.Errorf("subscriber %d: %v", i, err)
				}
				l.exactlyOnce(s.all(), s.topic, fmt.Sprintf("subscriber %d (EOSE after %d)", i, s.eose))
				stored, live = stored+s.eose, live+len(s.all())-s.eose
			}
			t.Logf("%d events stored, %d live", stored, live)
			if stored == 0 || live == 0 {
				t.Error("the subscriptions did not straddle the load")
			}
		})
	}
}
