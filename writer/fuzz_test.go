package writer

import (
	"testing"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/relaypb"
	"rhea/writer/store"
)

// FuzzAdmitted: whatever stands on write has one verdict, and what reaches the
// store has a header that is in order and a JSON that begins as the header says.
func FuzzAdmitted(f *testing.F) {
	for _, e := range nostrtest.Events(f)[:50] {
		a := admittedOf(e)
		f.Add([]byte(a.Header), a.Json, false)
	}
	f.Add([]byte{}, []byte(`{}`), true)
	f.Fuzz(func(t *testing.T, header, json []byte, forged bool) {
		var b batch
		fine := b.add(&relaypb.Admitted{Conn: 1 << 32, Num: 1, Header: header, Json: json, Forged: forged})
		decided := make([]store.Verdict, len(b.incoming))
		for i := range decided {
			decided[i].Outcome = relaypb.Outcome_NEW
		}
		out := answers(b.asked, decided)
		if len(out) != 1 || out[0].verdict.Num != 1 || out[0].gateway != 1 {
			t.Fatalf("answers: %v", out)
		}
		if outcome := out[0].verdict.Outcome; (outcome == relaypb.Outcome_NEW) != (len(b.incoming) == 1) || (outcome == relaypb.Outcome_ERROR) == fine {
			t.Fatalf("%s, %d for the store, fine %v", outcome, len(b.incoming), fine)
		}
		for _, in := range b.incoming {
			if _, err := nostr.CheckHeader(in.Header); err != nil {
				t.Fatal(err)
			}
			if e, err := nostr.ParseEvent(in.JSON, nostr.EventLimits{}); err == nil && (e.ID != in.Header.ID() || e.Kind != in.Header.Kind() ||
				e.PubKey != in.Header.PubKey() || e.CreatedAt != in.Header.CreatedAt()) {
				t.Fatalf("header %x of %s", in.Header, in.JSON)
			}
		}
	})
}
