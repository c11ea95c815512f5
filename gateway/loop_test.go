package gateway

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rhea/proto/beat"
	"rhea/proto/bus"
	"rhea/proto/frame"
	"rhea/proto/limits"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// newTestLoop returns a loop, its bus, and a client in shard 0 that has said some
// messages.
func newTestLoop(t *testing.T, now time.Time, texts ...string) (*loop, *bus.Bus, *conn) {
	w := newWorld(t)
	cfg, lim := DefaultConfig(), limits.Default()
	b := w.mem.Join(w.space, w.log)
	t.Cleanup(b.Close)
	inbox := bus.Listen(b, func() *relaypb.OutInbox { return new(relaypb.OutInbox) }, 0)
	t.Cleanup(inbox.Close)
	if err := inbox.Add(w.space.Out(b.Instance)); err != nil {
		t.Fatal(err)
	}
	h := newTestHub(lim.MaxMessageLength)
	l := &loop{core: newCore(w.space, b.Instance, rules{config: &cfg, limits: &lim, policy: &policy.Policy{Auth: policy.AuthNeeded}}, b.NewOutbox(), h, now), inbox: inbox, bus: b, pulse: new(stage.Pulse)}
	l.core.HandleRoster(testView{owners: map[subject.Stage]subject.Instance{subject.Ingester: 1, subject.Reqworker: 2}})

	cn := &conn{id: subject.MakeConnID(b.Instance, 4)} // in shard 0 of 4
	l.core.Open(cn, nil)
	for _, text := range texts {
		m, err := frame.ParseClient([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		l.core.admit(cn, said{client: m})
	}
	return l, b, cn
}

// TestLateTick has the loop stand still for longer than every time-out while a
// verdict and a part arrive: they count, and what is unanswered is given up.
func TestLateTick(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	l, b, cn := newTestLoop(t, now, `["EVENT",{"id":"a"}]`, `["EVENT",{"id":"b"}]`, `["REQ","s",{}]`, `["REQ","t",{}]`)
	for _, m := range []*relaypb.OutInbox{
		{Body: &relaypb.OutInbox_Verdict{Verdict: &relaypb.Verdict{Num: 1 * 4, Outcome: relaypb.Outcome_NEW}}},
		{Body: &relaypb.OutInbox_Part{Part: &relaypb.Part{Num: 3 * 4, Worker: 2, Events: [][]byte{[]byte("{}")}, Cursor: []byte("c")}}},
	} {
		if err := b.Publish(b.Space.Out(b.Instance), m); err != nil {
			t.Fatal(err)
		}
	}
	l.tick(now.Add(25 * time.Second))

	var heard []string
	for rest := string(unsent(l.core, cn)); rest != ""; {
		n := int(rest[1])
		heard = append(heard, rest[2:2+n])
		rest = rest[2+n:]
	}
	const want = `["OK","a",true,""]
["EVENT","s",{}]
["OK","b",false,"error: the relay did not answer in time; try again"]
["CLOSED","t","error: the relay did not answer in time; try again"]`
	if got := strings.Join(heard, "\n"); got != want {
		t.Errorf("heard\n%s\nwant\n%s", got, want)
	}
}

// TestTickAfterReconnect has the bus come back between two ticks: what is unanswered
// is asked again, once.
func TestTickAfterReconnect(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	l, _, _ := newTestLoop(t, now, `["EVENT",{"id":"a"}]`, `["REQ","s",{}]`)
	l.reconnects-- // the memory bus never goes away
	for i := range 5 {
		l.tick(now.Add(time.Duration(i) * tickEvery))
	}
	if m := l.core.metrics; m.resent.Value() != 1 || m.resumed.Value() != 1 {
		t.Errorf("%d EVENTs and %d queries were sent again, want one each", m.resent.Value(), m.resumed.Value())
	}
}

// TestRest has a loop rest that has nothing to look after, and an EVENT arrive just
// before its next tick: from then on it ticks again, and the EVENT has the time that it
// should have.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _, cn := newTestLoop(t, time.Now())
		l.ticks = time.NewTimer(time.Hour)
		defer l.ticks.Stop()
		passes(beat.Every - 50*time.Millisecond)
		l.tick(time.Now())
		l.rest(time.Now())
		if l.resting {
			t.Fatal("it rests until a tick that is due anyway")
		}
		l.tick(<-l.ticks.C)
		l.rest(time.Now())
		if !l.resting {
			t.Fatal("it does not rest")
		}
		passes(beat.Every - 10*time.Millisecond)
		m, err := frame.ParseClient([]byte(`["EVENT",{"id":"a"}]`))
		if err != nil {
			t.Fatal(err)
		}
		l.clock()
		l.core.admit(cn, said{client: m})
		asked := time.Now()
		for {
			l.tick(<-l.ticks.C)
			if since := time.Since(asked); l.core.alarms.kept > 0 { // it has rung
				if since < resendEvent || since > resendEvent+2*tickEvery {
					t.Errorf("the EVENT is looked after when %s are over, want %s", since, resendEvent)
				}
				return
			}
			l.rest(time.Now())
		}
	})
}

// TestNoRest has an alarm due, and a monitor behind: the loop ticks on.
func TestNoRest(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	l, _, _ := newTestLoop(t, now)
	l.tick(now)
	if got := l.core.Quiet(now, beat.Every); got != beat.Every {
		t.Errorf("quiet for %s, want %s", got, beat.Every)
	}
	l.core.alarms.set(now.Add(beat.Every/2), alarm{aboutEvent, 1})
	if got := l.core.Quiet(now, beat.Every); got < beat.Every/2 || got > beat.Every/2+tickEvery {
		t.Errorf("quiet for %s before an alarm in %s", got, beat.Every/2)
	}
	l.core.monitors[7] = &monitor{behind: now}
	if got := l.core.Quiet(now, beat.Every); got != 0 {
		t.Errorf("quiet for %s while a monitor is behind", got)
	}
}

func passes(d time.Duration) { <-time.After(d) }
