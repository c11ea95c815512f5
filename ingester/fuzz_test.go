package ingester

import (
	"bytes"
	"testing"

	"rhea/proto/limits"
	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
)

// FuzzFrame: whatever a client sends as an event has one answer, and what is
// admitted is an event whose header and JSON say the same.
func FuzzFrame(f *testing.F) {
	for _, line := range nostrtest.Lines(f)[:50] {
		f.Add(line, true)
	}
	f.Add([]byte(`{}`), false)
	f.Add([]byte(`{"id":1}`), false)
	c := newCore(limits.Default(), 10, newMetrics(stage.NewMetrics("ingester")))
	f.Fuzz(func(t *testing.T, event []byte, valid bool) {
		c.take(&relaypb.EventFrame{Conn: 1 << 32, Num: 1, Event: event}, 0)
		verifyAll(func(*[32]byte, []byte, *[64]byte) bool { return valid }, c.checks, 2)
		outputs := c.finish()
		if len(outputs) != 1 || (outputs[0].verdict == nil) == (outputs[0].admitted == nil) {
			t.Fatalf("outputs: %v", outputs)
		}
		a := outputs[0].admitted
		if a == nil {
			return
		}
		e, err := nostr.ParseEvent(a.Json, nostr.EventLimits{})
		if err != nil {
			t.Fatalf("admitted %s: %v", a.Json, err)
		}
		if !bytes.Equal(nostr.AppendHeader(nil, e), a.Header) || e.ComputeID() != e.ID {
			t.Fatalf("admitted %s with header %x", a.Json, a.Header)
		}
	})
}
