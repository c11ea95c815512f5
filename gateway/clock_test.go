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

// jammedWire takes nothing while the client lets everything wait.
type jammedWire struct {
	stillWire
	jammed bool
}

func (w *jammedWire) write(b []byte) (int, error) {
	if w.jammed {
		return 0, errWait
	}
	return len(b), nil
}

// A ping that waited behind what a slow client had not taken is no reason to end its
// connection as soon as it has: the client is given ping_timeout from then on.
func TestPingBehindABacklog(t *testing.T) {
	began := time.Now()
	l, _, cn := newTestLoop(t, began)
	w := &jammedWire{jammed: true}
	cn.wire = w
	c := l.core
	c.say(cn, []byte(`["NOTICE","what the client has not taken yet"]`))
	taken := c.config.PingInterval + c.config.PingTimeout - 3*tickEvery
	var gone time.Duration
	for passed := tickEvery; passed < 2*taken+3*c.config.PingTimeout && gone == 0; passed += tickEvery {
		if w.jammed && passed >= taken {
			if cn.pinged == 0 || cn.out == nil {
				t.Fatal("no ping waits")
			}
			w.jammed = false
			c.writable(cn)
		}
		if w.jammed && cn.out != nil {
			cn.out.since = c.hub.tick // it takes a little now and then
		}
		l.tick(began.Add(passed))
		c.Flush()
		if cn.state == dead {
			gone = passed
		}
	}
	if earliest := taken + c.config.PingTimeout; gone < earliest || gone > earliest+c.config.PingTimeout {
		t.Errorf("the client, which took all after %v, is gone after %v", taken, gone)
	}
}
