package beat

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestUntil(t *testing.T) {
	at := func(d time.Duration) time.Time { return time.Unix(1_700_000_000, 0).Add(d) }
	for _, c := range []struct{ now, want time.Duration }{
		{0, Every}, {1, Every - 1}, {Every - 1, 1}, {Every, Every}, {3*Every + Every/4, 3 * Every / 4},
	} {
		if got := Until(at(c.now), Every); got != c.want {
			t.Errorf("at %s: %s, want %s", c.now, got, c.want)
		}
	}
}

// Tickers that begin at any times ring at the same.
func TestTicker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(123 * time.Millisecond)
		beat, tick := NewTicker(Every), NewTicker(2*Every)
		defer beat.Stop()
		defer tick.Stop()
		var rang []time.Duration
		for range 4 {
			<-beat.C
			time.Sleep(time.Millisecond) // the loop has something to do
			beat.Next()
			select {
			case <-tick.C:
				tick.Next()
				rang = append(rang, time.Duration(time.Now().UnixNano())%(2*Every))
			default:
			}
		}
		if len(rang) != 2 || rang[0] != time.Millisecond || rang[1] != rang[0] {
			t.Errorf("the slower ticker rings with the other at %v, want twice just after a whole second", rang)
		}
	})
}
