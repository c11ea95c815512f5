package nostr_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/schnorr"
)

// TestRealEvents takes every real event through all its forms. With
// RHEA_EVENTS it runs on any other collection.
func TestRealEvents(t *testing.T) {
	for i, line := range nostrtest.Lines(t) {
		e, err := nostr.ParseEvent(line, nostr.EventLimits{})
		if err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		if id := e.ComputeID(); id != e.ID {
			t.Errorf("line %d: id %s computed as %s", i+1, e.ID, id)
		}
		checkForms(t, e, line)
		if want, ok := slowParse(line); !ok || !reflect.DeepEqual(e, want) {
			t.Errorf("event %s: encoding/json reads another event", e.ID)
		}
	}
}

// checkForms checks the JSON, canonical form and header of an event that was
// parsed from input.
func checkForms(t *testing.T, e *nostr.Event, input []byte) {
	t.Helper()
	text := e.AppendJSON(nil)
	if !json.Valid(text) {
		t.Fatalf("not JSON: %q", text)
	}
	const exponents = 17
	if len(text) > len(input)+exponents {
		t.Fatalf("%q grew to %q", input, text)
	}
	again, err := nostr.ParseEvent(text, nostr.EventLimits{})
	if err != nil || !reflect.DeepEqual(e, again) {
		t.Fatalf("%q does not read as it was written: %v", text, err)
	}
	if !bytes.Equal(again.AppendJSON(nil), text) || !bytes.Equal(again.AppendCanonical(nil), e.AppendCanonical(nil)) {
		t.Fatalf("%q is not stable", text)
	}
	var canon nostr.Canon
	canon.ID(&nostr.Event{Content: "what was before\x01"})
	if id := canon.ID(e); id != e.ComputeID() {
		t.Fatalf("%q: id %s in passing, %s computed", text, id, e.ComputeID())
	}
	if got := canon.AppendJSON([]byte("x"), e); string(got) != "x"+string(text) {
		t.Fatalf("%q: JSON in passing is %q", text, got)
	}
	h, err := nostr.CheckHeader(nostr.AppendHeader(nil, e))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	checkHeader(t, h, e)
}

func checkHeader(t *testing.T, h nostr.Header, e *nostr.Event) {
	t.Helper()
	if h.ID() != e.ID || h.PubKey() != e.PubKey || h.CreatedAt() != e.CreatedAt || h.Kind() != e.Kind {
		t.Fatalf("header of %s differs", e.ID)
	}
	var tags, want [][2]string
	for name, value := range h.Tags() {
		tags = append(tags, [2]string{string(rune(name)), value.String()})
		if value != nostr.NewTagValue(value.String()) || string(value.AppendTo(nil)) != value.String() {
			t.Fatalf("value %q of %s has two forms", value, e.ID)
		}
	}
	protected, d, seenD := false, "", false
	for _, tag := range e.Tags {
		name := tag[0]
		if len(name) == 1 && len(tag) > 1 && ('a' <= name[0] && name[0] <= 'z' || 'A' <= name[0] && name[0] <= 'Z') {
			want = append(want, [2]string{name, tag[1]})
		}
		protected = protected || name == "-"
		if name == "d" && !seenD {
			seenD = true
			if len(tag) > 1 {
				d = tag[1]
			}
		}
	}
	if !slices.Equal(tags, want) || h.Protected() != protected || h.D().String() != d {
		t.Fatalf("header of %s: tags %q, protected %t, d %q", e.ID, tags, h.Protected(), h.D())
	}
}

// TestTruncated cuts an event and its header at every byte.
func TestTruncated(t *testing.T) {
	e := nostrtest.Events(t)[0]
	text := e.AppendJSON(nil)
	for n := range text {
		if _, err := nostr.ParseEvent(text[:n], nostr.EventLimits{}); err == nil {
			t.Fatalf("accepted %q", text[:n])
		}
	}
	e.Tags = append(e.Tags, nostr.Tag{"t", "x"}, nostr.Tag{"e", e.ID.String()})
	h := nostr.AppendHeader(nil, e)
	for n := range h {
		if _, err := nostr.CheckHeader(h[:n]); err == nil {
			t.Fatalf("accepted %d of %d bytes", n, len(h))
		}
	}
}

func TestSign(t *testing.T) {
	gen := nostrtest.NewEventGen(1, 1_700_000_000)
	for i := range uint64(20) {
		e := gen.Event()
		if err := nostrtest.Sign(e, nostrtest.Secret(i)); err != nil {
			t.Fatal(err)
		}
		if e.ID != e.ComputeID() || !schnorr.Verify((*[32]byte)(&e.PubKey), e.ID[:], (*[64]byte)(&e.Sig)) {
			t.Fatalf("event %s is not signed", e.ID)
		}
		checkForms(t, e, e.AppendJSON(nil))
	}
}

func TestKinds(t *testing.T) {
	for k := range 1 << 16 {
		kind := nostr.Kind(k)
		classes := 0
		for _, is := range []bool{kind.IsRegular(), kind.IsReplaceable(), kind.IsEphemeral(), kind.IsAddressable()} {
			if is {
				classes++
			}
		}
		if classes != 1 {
			t.Fatalf("kind %d is of %d classes", k, classes)
		}
	}
	for _, k := range []nostr.Kind{1, 2, 4, 44, 45, 999, 1000, 9999, 40000, 65535} {
		if !k.IsRegular() {
			t.Errorf("kind %d is not regular", k)
		}
	}
	for _, k := range []nostr.Kind{0, 3, 10000, 19999} {
		if !k.IsReplaceable() {
			t.Errorf("kind %d is not replaceable", k)
		}
	}
	if !nostr.Kind(20000).IsEphemeral() || !nostr.Kind(29999).IsEphemeral() ||
		!nostr.Kind(30000).IsAddressable() || !nostr.Kind(39999).IsAddressable() {
		t.Error("ranges of NIP-01")
	}
}
