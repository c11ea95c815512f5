package stage

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestPulse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Checks{who: "monitor: "}
		p := c.Loop("loop")
		expect := func(when string, want ...string) {
			t.Helper()
			if got := c.failing(nil, false); !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", when, got, want)
			}
		}
		wait := func(d time.Duration) { <-time.After(d) }
		wait(time.Hour)
		expect("before it turns")
		p.Beat()
		wait(stuckAfter)
		expect("slow")
		wait(time.Second)
		expect("stuck", "monitor: loop: has not turned for 31s")
		p.Beat()
		expect("turning again")
		p.End()
		wait(time.Hour)
		expect("over")
	})
}

func TestChecksOfNobody(t *testing.T) {
	var c *Checks
	c.Alive("x", nil)
	c.Ready("x", nil)
	c.Loop("x").Beat()
}
