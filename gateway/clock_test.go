package gateway

import (
	"testing"
	"time"
	"unsafe"
)

// step returns t as time.Now would have it after the system's clock was set by some
// whole seconds: another time of day, and no time has passed. It writes the seconds
// into the words of a time.Time, which is what the runtime does.
func step(t *testing.T, at time.Time, seconds int64) time.Time {
	t.Helper()
	stepped := at
	words := (*struct {
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&stepped))
	words.wall += uint64(seconds) << 30
	if stepped.Unix()-at.Unix() != seconds || stepped.Sub(at) != 0 {
		t.Fatalf("a step of %d s makes %v of %v", seconds, stepped, at)
	}
	return stepped
}

// When the clock is set, by an hour or a year, ahead or back, no client is taken
// for silent that is not, and one that is goes as soon as ever.
func TestClockIsSet(t *testing.T) {
	const hour, year = 3600, 365 * 24 * 3600
	for _, seconds := range []int64{hour, -hour, year, -year} {
		began := time.Now()
		l, _, silent := newTestLoop(t, began)
		talker := &conn{id: silent.id + 4}
		talker.heard = l.core.hub.tick
		l.core.Open(talker, nil)
		interval := l.core.config.PingInterval
		patience := interval + l.core.config.PingTimeout + 2*tickEvery

		var gone time.Duration
		for passed := tickEvery; passed < 2*patience && gone == 0; passed += tickEvery {
			now := began.Add(passed)
			if passed > time.Second {
				now = step(t, now, seconds)
			}
			l.tick(now)
			talker.heard = l.core.hub.tick
			unsent(l.core, silent) // the network takes all
			unsent(l.core, talker)
			if silent.state == dead {
				gone = passed
			}
			if passed < interval && silent.pinged != 0 {
				t.Fatalf("set by %d s: pinged after %v", seconds, passed)
			}
		}
		if gone < patience-3*tickEvery || gone > patience {
			t.Errorf("set by %d s: the silent client is gone after %v, want %v", seconds, gone, patience)
		}
		if talker.state == dead || talker.pinged != 0 {
			t.Errorf("set by %d s: the other is pinged or gone", seconds)
		}
	}
}
