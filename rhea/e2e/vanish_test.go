package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/schnorr"
)

// many makes n notes of a key, without signatures.
func many(t *testing.T, key uint64, n int) []*nostr.Event {
	t.Helper()
	secret := nostrtest.Secret(key)
	pubkey, err := schnorr.PublicKey(&secret)
	if err != nil {
		t.Fatal(err)
	}
	events := make([]*nostr.Event, n)
	for i := range events {
		e := &nostr.Event{PubKey: pubkey, CreatedAt: 1_600_000_000 + int64(i/3), Kind: 1, Content: fmt.Sprint(i)}
		e.ID = e.ComputeID()
		events[i] = e
	}
	return events
}

// What a key that vanishes has written is found by nobody from the OK on, however
// much it is, whether or not the relay dies while it removes it; nobody else loses
// anything.
func TestVanishOfThousands(t *testing.T) {
	for _, crash := range []bool{false, true} {
		t.Run(fmt.Sprint("crash=", crash), func(t *testing.T) {
			r := start(t, "solo", "", nil)
			gone, kept := many(t, 1, 20_000), many(t, 2, 100)
			r.fill(append(gone, kept...))
			vanish := &nostr.Event{CreatedAt: 1_700_000_000, Kind: 62, Tags: []nostr.Tag{{"relay", "ALL_RELAYS"}}}
			for _, e := range []*nostr.Event{vanish, gone[5]} {
				if err := nostrtest.Sign(e, nostrtest.Secret(1)); err != nil {
					t.Fatal(err)
				}
			}
			c := dial(t, r.url)
			if o, err := c.publish(vanish.AppendJSON(nil), vanish.ID.String()); err != nil || !o.accepted {
				t.Fatal(o, err)
			}
			if crash {
				r.cmd.Process.Kill()
				<-r.done
				r = start(t, "solo", r.data, nil)
				c = dial(t, r.url)
			}
			checkSession(t, r, "go-nostr", `{}`, 60_000, nil, nil, append([]*nostr.Event{vanish}, kept...))
			got, err := c.query("q", fmt.Sprintf(`{"authors":[%q],"limit":5000}`, vanish.PubKey))
			if err != nil || len(got) != 1 || got[0] != vanish.ID {
				t.Errorf("%d events by the author, %v", len(got), err)
			}
			if got, err := c.query("q", `{"limit":5000}`); err != nil || len(got) != 101 {
				t.Errorf("%d events in all, %v", len(got), err)
			}
			if n := countOf(t, r, `{}`); n != 101 {
				t.Errorf("%d events are counted", n)
			}
			if n := countOf(t, r, fmt.Sprintf(`{"authors":[%q],"kinds":[1]}`, vanish.PubKey)); n != 0 {
				t.Errorf("%d notes of the author are counted", n)
			}
			if o, err := c.publish(gone[5].AppendJSON(nil), gone[5].ID.String()); err != nil || o.accepted || !strings.HasPrefix(o.text, "blocked:") {
				t.Errorf("a note of before, sent again: %v %v", o, err)
			}
			r.stop()
			if out, errs, err := r.rhea(nil, "check"); err != nil {
				t.Errorf("check: %v\n%s%s", err, out, errs)
			}
		})
	}
}

// One request deletes as many events as fit in a message.
func TestDeletionOfThousands(t *testing.T) {
	r := start(t, "up", "", nil)
	events := many(t, 1, 3600)
	r.fill(events)
	request := &nostr.Event{CreatedAt: 1_700_000_000, Kind: 5}
	for _, e := range events[:3500] {
		request.Tags = append(request.Tags, nostr.Tag{"e", e.ID.String()})
	}
	if err := nostrtest.Sign(request, nostrtest.Secret(1)); err != nil {
		t.Fatal(err)
	}
	c := dial(t, r.url)
	if o, err := c.publish(request.AppendJSON(nil), request.ID.String()); err != nil || !o.accepted {
		t.Fatal(o, err)
	}
	if got, err := c.query("q", `{"limit":5000}`); err != nil || len(got) != 101 {
		t.Errorf("%d events are left, %v", len(got), err)
	}
	if n := countOf(t, r, `{}`); n != 101 {
		t.Errorf("%d events are counted", n)
	}
	for name := range initiators {
		checkSession(t, r, name, `{}`, 60_000, append(events[3500:], request), nil, nil)
	}
	r.stop()
	if out, errs, err := r.rhea(nil, "check"); err != nil {
		t.Errorf("check: %v\n%s%s", err, out, errs)
	}
}

// countOf asks for a COUNT on a connection of its own.
func countOf(t *testing.T, r *relay, filter string) int {
	t.Helper()
	a, err := newActor(r.url)
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	a.send(`["COUNT","c",` + filter + `]`)
	for {
		text, ok := a.take(patience)
		if !ok {
			t.Fatal("no COUNT")
		}
		var parts []json.RawMessage
		var answer struct{ Count *int }
		if strings.HasPrefix(text, `["AUTH"`) {
			continue
		}
		if json.Unmarshal([]byte(text), &parts) != nil || len(parts) != 3 || json.Unmarshal(parts[2], &answer) != nil || answer.Count == nil {
			t.Fatal(text)
		}
		return *answer.Count
	}
}
