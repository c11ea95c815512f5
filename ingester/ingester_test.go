package ingester

import (
	"bytes"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/relaypb"
	"rhea/proto/schnorr"
	"rhea/proto/subject"
)

// settle lets a roster find out who is there, and shards be taken.
func settle() {
	time.Sleep(time.Second) // of the bubble
	synctest.Wait()
}

// judge verifies one by one.
type judge func(*schnorr.Signature) bool

func (j judge) VerifyBatch(sigs []schnorr.Signature, ok []bool) {
	for i := range sigs {
		ok[i] = j(&sigs[i])
	}
}

// judges has every worker verify with j.
func judges(j judge) func() verifier { return func() verifier { return j } }

// really is what Run verifies with.
func really() func() verifier {
	keys := schnorr.NewKeys(100)
	return func() verifier { return schnorr.NewVerifier(keys) }
}

// believe takes every signature for good.
func believe(*schnorr.Signature) bool { return true }

func signed(t testing.TB, n int) []*nostr.Event {
	events := make([]*nostr.Event, n)
	for i := range events {
		events[i] = &nostr.Event{CreatedAt: int64(i), Kind: 1, Content: "event"}
		if err := nostrtest.Sign(events[i], nostrtest.Secret(uint64(i%3))); err != nil {
			t.Fatal(err)
		}
	}
	return events
}

// Every real event arrives at the writer as it was, with a header that says the
// same, and none is refused but those that authenticate.
func TestRealEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		r := w.start(DefaultConfig(), really())
		defer r.stop()
		settle()
		lines := nostrtest.Lines(t)
		if testing.Short() {
			lines = lines[:200]
		}
		events := nostrtest.Events(t)[:len(lines)]
		for i, line := range lines {
			w.event(w.conn(uint32(i)), uint64(i), line)
		}
		w.flush()
		synctest.Wait()
		seen := make(map[uint64]bool)
		for _, v := range w.verdicts() {
			if events[v.Num].Kind != kindAuth {
				t.Fatalf("event %d refused: %s", v.Num, v.Text)
			}
			seen[v.Num] = true
		}
		admitted := w.admitted()
		if len(seen)+len(admitted) != len(lines) {
			t.Fatalf("%d of %d admitted", len(admitted), len(lines))
		}
		for _, a := range admitted {
			sent := events[a.Num]
			if a.Forged || seen[a.Num] || a.Conn != uint64(w.conn(uint32(a.Num))) {
				t.Fatalf("event %d: forged %v, repeated %v, conn %x", a.Num, a.Forged, seen[a.Num], a.Conn)
			}
			seen[a.Num] = true
			if !bytes.Equal(a.Json, sent.AppendJSON(nil)) || !bytes.Equal(a.Header, nostr.AppendHeader(nil, sent)) {
				t.Fatalf("event %d: %s\nbecame %s", a.Num, lines[a.Num], a.Json)
			}
		}
	})
}

// A hundred clients send one event: in one batch, in several, and while the
// first copy's signature is being verified. It is verified once.
func TestOneCheckForCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		began, goOn := make(chan struct{}), make(chan struct{})
		w := newWorld(t, 4)
		r := w.start(DefaultConfig(), judges(func(s *schnorr.Signature) bool {
			if calls.Add(1) == 1 {
				close(began)
				<-goOn
			}
			return schnorr.Verify(&s.PubKey, s.ID[:], &s.Sig)
		}))
		defer r.stop()
		settle()
		raw := signed(t, 1)[0].AppendJSON(nil)
		for i := range uint32(100) {
			w.event(w.conn(i), uint64(i), raw)
			switch {
			case i == 10:
				w.flush()
				<-began
			case i > 10 && i%7 == 0:
				w.flush()
			}
		}
		w.flush()
		close(goOn)
		synctest.Wait()
		if n := len(w.admitted()); n != 100 {
			t.Errorf("%d of 100 copies admitted", n)
		}
		if n := calls.Load(); n != 1 {
			t.Errorf("the signature was verified %d times", n)
		}
		if s := r.metrics.Snapshot(); s["signature_checks"] != 1 || s["signature_checks_spared"] != 99 {
			t.Errorf("metrics: %v", s)
		}
	})
}

// Whatever is mixed in, each connection's events are admitted in the order in
// which they were sent, and every frame has one answer.
func TestOrderPerConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 0))
		w := newWorld(t, 8)
		r := w.start(DefaultConfig(), really())
		defer r.stop()
		settle()
		events := signed(t, 40)
		const frames = 1500
		for num := range uint64(frames) {
			e := *events[rng.IntN(len(events))]
			switch rng.IntN(10) {
			case 0:
				e.Sig[rng.IntN(64)] ^= 1
			case 1:
				e.CreatedAt++ // the id is wrong now
			}
			w.event(w.conn(rng.Uint32N(20)), num+1, e.AppendJSON(nil))
			if rng.IntN(30) == 0 {
				w.flush()
			}
		}
		w.flush()
		synctest.Wait()
		last := make(map[uint64]uint64)
		answered := make(map[uint64]int)
		for _, a := range w.admitted() {
			if a.Num <= last[a.Conn] {
				t.Fatalf("conn %s: %d admitted after %d", subject.ConnID(a.Conn), a.Num, last[a.Conn])
			}
			last[a.Conn] = a.Num
			answered[a.Num]++
		}
		for _, v := range w.verdicts() {
			answered[v.Num]++
		}
		for num := range uint64(frames) {
			if answered[num+1] != 1 {
				t.Fatalf("frame %d has %d answers", num+1, answered[num+1])
			}
		}
	})
}

// An AUTH that comes over the bus is answered to its gateway, in order with the
// events around it, and passed on to nobody.
func TestAuth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		r := w.start(DefaultConfig(), really())
		defer r.stop()
		settle()
		login := &nostr.Event{CreatedAt: time.Now().Unix(), Kind: kindAuth, Tags: []nostr.Tag{{"relay", "ws://127.0.0.1:7777"}, {"challenge", "c"}}}
		if err := nostrtest.Sign(login, nostrtest.Secret(1)); err != nil {
			t.Fatal(err)
		}
		raw := login.AppendJSON(nil)
		for i, challenge := range []string{"c", "d"} {
			w.send(w.conn(1), &relaypb.IngestInbox{Body: &relaypb.IngestInbox_Auth{Auth: &relaypb.AuthFrame{
				Conn: uint64(w.conn(1)), Num: uint64(i), Event: raw, Challenge: challenge, Host: "127.0.0.1:7777",
			}}})
		}
		w.event(w.conn(1), 2, raw)
		w.flush()
		synctest.Wait()
		got := w.verdicts()
		if len(got) != 3 || len(w.admitted()) != 0 {
			t.Fatalf("verdicts: %v", got)
		}
		for i, want := range []relaypb.Outcome{relaypb.Outcome_AUTHENTICATED, relaypb.Outcome_INVALID, relaypb.Outcome_INVALID} {
			if v := got[i]; v.Num != uint64(i) || v.Outcome != want || !bytes.Equal(v.Id, login.ID[:]) {
				t.Errorf("verdict %d: %v", i, v)
			}
		}
		if !bytes.Equal(got[0].Key, login.PubKey[:]) {
			t.Errorf("key %x, want %s", got[0].Key, login.PubKey)
		}
		s := r.metrics.Snapshot()
		if s["auths"] != 2 || s["authenticated"] != 1 || s["auths_refused"] != 1 || s["refused.auth"] != 1 {
			t.Errorf("metrics: %v", s)
		}
	})
}

// What does not decode, or is of an unknown kind, is counted and harms nothing.
func TestGarbage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		r := w.start(DefaultConfig(), really())
		defer r.stop()
		settle()
		broken := new(relaypb.IngestInbox)
		broken.ProtoReflect().SetUnknown([]byte{0x0a, 0x7f, 1, 2, 3}) // a field longer than the message
		later := new(relaypb.IngestInbox)
		later.ProtoReflect().SetUnknown([]byte{0x7a, 0x02, 0x08, 0x01}) // field 15, of a build to come
		empty := &relaypb.IngestInbox{Body: &relaypb.IngestInbox_Event{Event: &relaypb.EventFrame{}}}
		for _, m := range []*relaypb.IngestInbox{broken, later, {}, empty} {
			if err := w.outbox.Send(w.space.Ingest(0), m); err != nil {
				t.Fatal(err)
			}
		}
		w.event(w.conn(1), 7, signed(t, 1)[0].AppendJSON(nil))
		w.flush()
		synctest.Wait()
		if a := w.admitted(); len(a) != 1 || a[0].Num != 7 {
			t.Errorf("admitted: %v", a)
		}
		s := r.metrics.Snapshot()
		if s["unknown"] != 2 || s["refused.shape"] != 1 || r.bus.Garbage() != 1 {
			t.Errorf("unknown %v, shape %v, garbage %d: want 2, 1, 1", s["unknown"], s["refused.shape"], r.bus.Garbage())
		}
	})
}

// Without a writer on the bus the stage does what it does with one.
func TestSendsWithoutWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		r := w.start(DefaultConfig(), judges(believe))
		settle()
		if m := r.roster.View().Members(subject.Writer); len(m) != 0 {
			t.Fatalf("there is a writer: %v", m)
		}
		w.event(w.conn(1), 1, signed(t, 1)[0].AppendJSON(nil))
		w.flush()
		r.stop() // the drain takes what waits
		if len(w.admitted()) != 1 {
			t.Error("not sent")
		}
	})
}

// Shards change hands twice, to a second ingester and from the first one
// altogether, under a steady stream to all shards: nothing sent is lost.
func TestHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 8)
		raw := signed(t, 1)[0].AppendJSON(nil)
		num, admitted := uint64(0), make(map[uint64]bool)
		collect := func() {
			for _, a := range w.admitted() {
				admitted[a.Num] = true
			}
		}
		stream := func() {
			for shard := range uint32(8) {
				num++
				w.event(w.conn(shard), num, raw)
			}
			w.flush()
			collect()
		}
		// The time of the bubble stands still while this streams, so that whatever
		// has to happen in the right order has no pause to hide in.
		streamUntil := func(done <-chan struct{}) {
			for {
				select {
				case <-done:
					return
				default:
					if num-uint64(len(admitted)) < 2000 { // as a gateway's window has it
						stream()
					} else {
						collect()
					}
				}
			}
		}
		first := w.start(DefaultConfig(), judges(believe))
		settle()
		second := w.start(DefaultConfig(), judges(believe))
		for range 200 {
			stream()
			time.Sleep(10 * time.Millisecond) // of the bubble
		}
		if s := second.metrics.Snapshot(); s["received"] == 0 {
			t.Error("the second ingester took nothing")
		}
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			first.stop()
		}()
		streamUntil(stopped)
		stream()
		second.stop()
		stream() // reads what is left; nobody takes these
		for n := range num - 8 {
			if !admitted[n+1] {
				t.Fatalf("frame %d of %d was lost", n+1, num-8)
			}
		}
	})
}
