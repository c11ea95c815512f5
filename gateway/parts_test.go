package gateway

import (
	"bytes"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unique"

	"github.com/gobwas/ws"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"rhea/proto/limits"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// FuzzHeader compares the parser of frame headers with gobwas/ws, which is laxer:
// what this one accepts, that one reads in the same way.
func FuzzHeader(f *testing.F) {
	f.Add(raw(fin|textOp, []byte("x")))
	f.Add(raw(fin|textOp, make([]byte, 200)))
	f.Add(raw(textOp, make([]byte, 70_000)))
	f.Add(raw(fin|rsv1|textOp, []byte{0}))
	f.Add([]byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, refused := parseHeader(b)
		if n == 0 || refused != nil {
			if n != 0 {
				t.Fatal("an error and a header")
			}
			return
		}
		want, err := ws.ReadHeader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if h.fin != want.Fin || h.op != want.OpCode || h.mask != want.Mask || !want.Masked ||
			h.packed != want.Rsv1() || want.Rsv2() || want.Rsv3() ||
			n != ws.HeaderSize(want) || h.length != int(min(want.Length, 1<<31-1)) {
			t.Fatalf("%+v, want %+v", h, want)
		}
		for i := range n { // a header in pieces is no header yet, and no error
			if _, k, err := parseHeader(b[:i]); k != 0 || err != nil {
				t.Fatalf("of the first %d bytes: %d, %v", i, k, err)
			}
		}
	})
}

// FuzzIntake feeds bytes to a connection twice, at once and in pieces: it must not
// panic, and do the same both times.
func FuzzIntake(f *testing.F) {
	f.Add(append(raw(textOp, []byte(`["COU`)), raw(fin|cont, []byte(`NT","x",{}]`))...), uint64(1))
	f.Add(raw(fin|textOp, []byte(`["EVENT",{"id":"x"}]`)), uint64(2))
	f.Add(append(raw(fin|textOp, []byte("x")), raw(fin|bye, []byte{3, 232})...), uint64(3))
	f.Add(append(raw(rsv1|textOp, []byte{0xf2, 0x48, 0xcd}), raw(fin|cont, []byte{0xc9, 0xc9, 0x07, 0})...), uint64(5))
	f.Add(append(raw(fin|textOp, []byte(`["AUTH",{}]`)), raw(fin|textOp, []byte(`["NEG-OPEN","n",{},"61"]`))...), uint64(4))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		whole, pieces := newListener(t, 1000), newListener(t, 1000)
		whole.cn.packs, pieces.cn.packs = true, true
		whole.hear(b)
		rng := rand.New(rand.NewPCG(seed, 0))
		for rest := b; len(rest) > 0; {
			n := 1 + rng.IntN(len(rest))
			pieces.hear(rest[:n])
			rest = rest[n:]
		}
		if !slices.Equal(whole.sent, pieces.sent) {
			t.Errorf("at once %q, in pieces %q", whole.sent, pieces.sent)
		}
		if a, b := whole.script.written, pieces.script.written; whole.cn.state != pieces.cn.state || !bytes.Equal(a, b) {
			t.Errorf("answered %q and %q", a, b)
		}
	})
}

// TestFullShareWaits has a client say more than its share holds. What asks something
// of other processes waits, the rest does not.
func TestFullShareWaits(t *testing.T) {
	for _, c := range []struct {
		message string
		through int // of 20
	}{
		{`["EVENT","%s"]`, 10}, {`["REQ","s","%s"]`, 10}, {`["COUNT","s","%s"]`, 10}, {`["NOTICE","%s"]`, 20},
	} {
		l := newListener(t, 200_000)
		l.hear(bytes.Repeat(raw(fin|textOp, fmt.Appendf(nil, c.message, strings.Repeat("x", 100_000))), 20))
		read := func() int { return int(l.core.metrics.messages.Value()) }
		if c.through == 20 {
			if read() != 20 {
				t.Errorf("%s: %d messages were read", c.message, read())
			}
			continue
		}
		if read() != c.through+1 || len(l.core.claims) != c.through { // the last of them waits
			t.Errorf("%s: %d messages were read, %d came through, want %d", c.message, read(), len(l.core.claims), c.through)
		}
		for num := range l.core.claims {
			l.core.giveBack(num)
			break
		}
		l.core.Resume()
		l.hear(nil)
		if read() != c.through+2 || len(l.core.claims) != c.through {
			t.Errorf("%s: %d messages were read after an answer", c.message, read())
		}
	}
}

// TestAuthIsWaitedFor has a client say more behind an AUTH: what asks something waits
// for the answer, also when the window is full meanwhile.
func TestAuthIsWaitedFor(t *testing.T) {
	l := newListener(t, 200_000)
	l.core.HandleRoster(testView{owners: map[subject.Stage]subject.Instance{subject.Ingester: 1, subject.Reqworker: 2}})
	for _, text := range []string{`["EVENT",{}]`, `["AUTH",{}]`, `["CLOSE","s"]`, `["REQ","s",{}]`, `["AUTH",{}]`, `["COUNT","s",{}]`} {
		l.hear(raw(fin|textOp, []byte(text)))
	}
	through := func(want ...string) {
		t.Helper()
		l.core.Resume()
		l.hear(nil)
		if !slices.Equal(l.sent, want) {
			t.Errorf("%q came through, want %q", l.sent, want)
		}
		l.sent = nil
	}
	verdict := func(num uint64) {
		l.core.Handle(&relaypb.OutInbox{Body: &relaypb.OutInbox_Verdict{Verdict: &relaypb.Verdict{Num: num, Outcome: relaypb.Outcome_INVALID}}})
	}
	w := l.core.hub.windows
	through("event", "auth")
	verdict(1)
	through()
	w.whole.Take(1) // somebody else's
	w.resize(1)
	verdict(2)
	through()
	w.whole.Give(1)
	w.pump()
	through("query")
	w.resize(maxWindow)
	through("auth")
	l.core.kill(l.cn, "over")
	through("stop")
}

// listener is a core with one connection, which hears what the test says.
type listener struct {
	core   *core
	cn     *conn
	script *scriptWire
	sent   []string // to the bus
}

func newListener(t *testing.T, maxMessage int) *listener {
	space, err := subject.New("rhea", 1)
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{script: new(scriptWire)}
	h := newTestHub(maxMessage)
	cfg, lim := DefaultConfig(), limits.Default()
	l.core = newCore(space, 1, rules{config: &cfg, limits: &lim, policy: &policy.Policy{Auth: policy.AuthNeeded}}, l, h, time.Unix(1_700_000_000, 0))
	l.cn = &conn{id: subject.MakeConnID(1, 1), host: unique.Make("relay.example.org"), socket: socket{wire: l.script}}
	l.core.Open(l.cn, nil)
	return l
}

// Send is the bus.
func (l *listener) Send(_ string, m proto.Message) error {
	l.sent = append(l.sent, strings.Fields(describe(m))[0])
	return nil
}

// hear has b arrive, and the core read for as long as it wants to.
func (l *listener) hear(b []byte) {
	for l.script.data = append(l.script.data, b...); len(l.script.data) > 0 && l.cn.state != dead && l.cn.reads(); {
		l.core.readable(l.cn)
	}
	l.core.Flush()
}

// scriptWire is a connection on which data comes.
type scriptWire struct {
	data, written []byte
}

func (w *scriptWire) read(b []byte) (int, error) {
	n := copy(b, w.data)
	w.data = w.data[n:]
	return n, nil
}

func (w *scriptWire) write(b []byte) (int, error) {
	w.written = append(w.written, b...)
	return len(b), nil
}

func (w *scriptWire) want(in, out bool) error { return nil }
func (w *scriptWire) shut()                   {}
func (w *scriptWire) close(bool)              {}

// all returns the alarms that are set.
func (w *wheel) all() iter.Seq[alarm] {
	return func(yield func(alarm) bool) {
		for _, s := range w.slots {
			for b := s.first; b != nil; b = b.next {
				for _, a := range b.alarms[:b.n] {
					if !yield(a) {
						return
					}
				}
			}
		}
	}
}

// TestWheel checks the wheel against a list: nothing rings early unless it is
// beyond the wheel's round, nothing more than a tick late, and nothing while it is quiet.
func TestWheel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1000, 0)
		w := newWheel(now)
		due := make(map[uint64]time.Time)
		n := uint64(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			when := now.Add(time.Duration(rapid.Int64Range(-int64(time.Second), int64(90*time.Second)).Draw(t, "wait")))
			for range rapid.IntRange(1, 40).Draw(t, "alarms") {
				n++
				due[n] = when
				w.set(when, alarm{aboutEvent, n})
			}
			const most = 2 * time.Second
			before, quiet := now, w.quiet(now, most)
			if !slices.ContainsFunc(slices.Collect(maps.Values(due)), func(d time.Time) bool { return d.Sub(now) <= most }) && quiet < most {
				t.Fatalf("it is quiet for %s, and nothing rings within %s", quiet, most)
			}
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Second)).Draw(t, "pass")))
			w.ring(now, func(a alarm) {
				if now.Sub(before) < quiet {
					t.Fatalf("alarm %d rings after %s, where it was to be quiet for %s", a.num, now.Sub(before), quiet)
				}
				if due[a.num].After(now) {
					t.Fatalf("alarm %d rings %v early", a.num, due[a.num].Sub(now))
				}
				delete(due, a.num)
			})
			for n, when := range due {
				if now.Sub(when) > tickEvery && !when.Before(w.at.Add(-tickEvery)) {
					t.Fatalf("alarm %d is %v late", n, now.Sub(when))
				}
			}
		}
		w.ring(now.Add(2*time.Minute), func(a alarm) { delete(due, a.num) })
		if len(due) > 0 {
			t.Fatalf("%d alarms are lost", len(due))
		}
	})
}

// TestWindows has many connections take from windows that are far too small for
// them, while others close: nobody gets more than there is, all are let through in the
// end, and then nothing is in the windows.
func TestWindows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const limit = maxShare + maxShare/2
		w := newWindows(limit)
		conns := make([]*conn, 8)
		for i := range conns {
			conns[i] = new(conn)
		}
		type taken struct {
			cn *conn
			n  int
		}
		var out []taken
		collect := func() {
			for _, cn := range w.passed {
				out = append(out, taken{cn, int(cn.share.passed)})
				cn.share.passed = 0
			}
			w.passed = nil
		}
		answer := func(i int) {
			a := out[i]
			out = slices.Delete(out, i, i+1)
			w.give(a.cn, a.n)
			collect()
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			cn := rapid.SampledFrom(conns).Draw(t, "conn")
			switch rapid.IntRange(0, 19).Draw(t, "what") {
			case 0:
				w.close(cn)
			case 1:
				if cn.share.wants == 0 {
					w.hold(cn)
				}
			case 2, 3:
				w.release(cn)
			case 4, 5, 6, 7, 8:
				if len(out) > 0 {
					answer(rapid.IntRange(0, len(out)-1).Draw(t, "which"))
				}
			default:
				if n := rapid.IntRange(1, maxShare/2).Draw(t, "bytes"); cn.share.wants == 0 && w.take(cn, n) {
					out = append(out, taken{cn, n})
				}
			}
			collect()
			if used := w.whole.Used(); used > limit {
				t.Fatalf("%d bytes are in the window", used)
			}
		}
		for _, cn := range conns {
			w.release(cn)
		}
		for collect(); len(out) > 0; {
			answer(0)
		}
		for i, cn := range conns {
			if cn.share.wants > 0 || cn.share.used != 0 {
				t.Errorf("connection %d waits for %d and has %d bytes", i, cn.share.wants, cn.share.used)
			}
		}
		if w.whole.Used() != 0 || len(w.queue) != 0 {
			t.Errorf("%d bytes and %d connections are left in the windows", w.whole.Used(), len(w.queue))
		}
		if !w.take(new(conn), 10*maxShare) {
			t.Error("something larger than the windows does not fit alone")
		}
	})
}

// TestAppendHeader reads back what it writes.
func TestAppendHeader(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 1<<16 - 1, 1 << 16, 1 << 20} {
		b := appendHeader(nil, ws.OpText, n)
		h, err := ws.ReadHeader(bytes.NewReader(b))
		if err != nil || h.Length != int64(n) || !h.Fin || h.Masked || h.OpCode != ws.OpText || len(b) > maxFrameHeader {
			t.Errorf("%d: %+v, %v", n, h, err)
		}
	}
}

func newTestHub(maxMessage int) *hub {
	return newHub(newMetrics(stage.NewMetrics("gateway")), slog.New(slog.DiscardHandler), socketLimits{maxMessage: maxMessage, maxOutbound: minOutbound})
}
