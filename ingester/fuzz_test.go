package ingester

import (
	"bytes"
	"testing"

	"rhea/proto/limits"
	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/schnorr"
	"rhea/proto/stage"
)

// FuzzFrame: whatever a client sends as an event has one answer, and what is
// admitted is an event whose header and JSON say the same. Sent as an AUTH it has
// one verdict, and none that is good by chance.
func FuzzFrame(f *testing.F) {
	for _, line := range nostrtest.Lines(f)[:50] {
		f.Add(line, true, uint8(0))
	}
	f.Add([]byte(`{}`), false, uint8(0))
	f.Add([]byte(`{"id":1}`), false, uint8(3))
	login := &nostr.Event{Kind: kindAuth, Tags: []nostr.Tag{{"challenge", "c"}, {"relay", "wss://relay.example.org"}}}
	if err := nostrtest.Sign(login, nostrtest.Secret(0)); err != nil {
		f.Fatal(err)
	}
	f.Add(login.AppendJSON(nil), true, uint8(0))
	p := policy.Default()
	p.URLs, p.Mute = []string{"wss://relay.example.org"}, true
	c := newCore(limits.Default(), p, 10, newMetrics(stage.NewMetrics("ingester")))
	f.Fuzz(func(t *testing.T, event []byte, valid bool, pow uint8) {
		c.policy.MinPoW = int(pow % 64)
		c.take(&relaypb.EventFrame{Conn: 1 << 32, Num: 1, Event: event}, 0)
		c.authenticate(&relaypb.AuthFrame{Conn: 1 << 32, Num: 2, Event: event, Challenge: "c", Host: "h"}, 0)
		w := crew{newWorker: judges(func(*schnorr.Signature) bool { return valid })}
		w.settle(&c.together, &c.alone, 2)
		outputs := c.finish()
		if len(outputs) != 2 || (outputs[0].verdict == nil) == (outputs[0].admitted == nil) || outputs[1].verdict == nil {
			t.Fatalf("outputs: %v", outputs)
		}
		v := outputs[1].verdict
		if good := v.Outcome == relaypb.Outcome_AUTHENTICATED; good != (len(v.Key) == 32) || good && !valid || !good && v.Text == "" {
			t.Fatalf("verdict of an AUTH: %v", v)
		}
		a := outputs[0].admitted
		if a == nil {
			return
		}
		e, err := nostr.ParseEvent(a.Json, nostr.EventLimits{})
		if err != nil {
			t.Fatalf("admitted %s: %v", a.Json, err)
		}
		if !bytes.Equal(nostr.AppendHeader(nil, e), a.Header) || e.ComputeID() != e.ID || a.Hear != e.Kind.IsEphemeral() {
			t.Fatalf("admitted %s with header %x", a.Json, a.Header)
		}
	})
}
