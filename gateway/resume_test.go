package gateway

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// newSpeaker is a listener whose messages go out to ingesters and reqworkers.
func newSpeaker(t *testing.T, messages ...string) *listener {
	l := newListener(t, 200_000)
	l.core.HandleRoster(testView{owners: map[subject.Stage]subject.Instance{subject.Ingester: 1, subject.Reqworker: 2}})
	l.hear(spoken(messages...))
	return l
}

func spoken(messages ...string) (b []byte) {
	for _, m := range messages {
		b = append(b, raw(fin|textOp, []byte(m))...)
	}
	return b
}

// verdict has the answer to an EVENT or AUTH come.
func (l *listener) verdict(num uint64) {
	l.core.Handle(&relaypb.OutInbox{Body: &relaypb.OutInbox_Verdict{Verdict: &relaypb.Verdict{Num: num, Outcome: relaypb.Outcome_INVALID}}})
}

// settle ends the turn, and checks that what is claimed is all that the windows hold.
func (l *listener) settle(t *testing.T) {
	t.Helper()
	l.core.Resume()
	l.hear(nil)
	claimed := 0
	for _, c := range l.core.claims {
		claimed += c.bytes
	}
	if used := l.core.hub.windows.whole.Used(); used != claimed {
		t.Errorf("the windows hold %d bytes, and %d are claimed", used, claimed)
	}
}

// TestNothingOvertakes has a message be let through by an answer, and the network signal
// more of the same connection in the same turn: all of it is handled, in its order.
func TestNothingOvertakes(t *testing.T) {
	for _, c := range []struct{ more, want []string }{
		{[]string{`["COUNT","s",{}]`}, []string{"auth", "event", "count"}},
		{[]string{`["EVENT",{}]`, `["COUNT","s",{}]`}, []string{"auth", "event", "event", "count"}},
		{[]string{`["AUTH",{}]`, `["COUNT","s",{}]`}, []string{"auth", "event", "auth", "count"}},
	} {
		l := newSpeaker(t, `["AUTH",{}]`, `["EVENT",{}]`)
		l.verdict(1)
		l.script.data = spoken(c.more...)
		l.core.Signal(signal{id: l.cn.id, in: true})
		l.settle(t)
		l.verdict(3)
		l.settle(t)
		if !slices.Equal(l.sent, c.want) {
			t.Errorf("%q behind what was let through: %q went out, want %q", c.more, l.sent, c.want)
		}
	}
}

// TestResetBetweenAnswers has a client whose share is full reset its connection between
// two answers of one turn, with more to be read: it is gone, and so is what it has said.
func TestResetBetweenAnswers(t *testing.T) {
	event := spoken(fmt.Sprintf(`["EVENT",{"x":"%s"}]`, strings.Repeat("x", 30_000)))
	l := newSpeaker(t)
	l.hear(bytes.Repeat(event, maxShare/30_000+1))
	if !l.cn.share.waits() {
		t.Fatal("nothing waits")
	}
	l.verdict(1)
	l.script.data = event
	l.core.Signal(signal{id: l.cn.id, in: true, out: true, lost: true})
	l.verdict(2)
	l.settle(t)
	if !l.cn.gone {
		t.Error("the connection is there yet")
	}
}

// TestAwayWithAMessageLetThrough sends a client away in the tick in which its EVENT is
// let through: it has its OK before it is closed.
func TestAwayWithAMessageLetThrough(t *testing.T) {
	l := newSpeaker(t, `["AUTH",{}]`, `["EVENT",{"id":"e"}]`)
	l.core.leaving = &leave{since: l.core.now, waiting: []*conn{l.cn}}
	l.verdict(1)
	l.core.Tick(l.core.now.Add(time.Second))
	l.settle(t)
	if l.cn.state != open || !slices.Equal(l.sent, []string{"auth", "event"}) {
		t.Fatalf("%q went out, and the connection is in state %d", l.sent, l.cn.state)
	}
	l.verdict(2)
	l.core.Tick(l.core.now.Add(time.Second))
	l.settle(t)
	ok, bye := bytes.Index(l.script.written, []byte(`["OK","e"`)), bytes.Index(l.script.written, []byte("going away"))
	if ok < 0 || bye < ok {
		t.Errorf("the client hears %q", l.script.written)
	}
}
