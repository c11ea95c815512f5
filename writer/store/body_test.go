package store

import (
	"bytes"
	"strings"
	"testing"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
)

// unpacked returns the JSON that a body stands for.
func unpacked(t testing.TB, h nostr.Header, body []byte) []byte {
	t.Helper()
	json, err := appendBodyJSON([]byte("before"), h, body)
	if err != nil {
		t.Fatalf("body %x: %v", body, err)
	}
	return bytes.TrimPrefix(json, []byte("before"))
}

// TestBody packs real events and what may stand in others, and has the same JSON back.
func TestBody(t *testing.T) {
	events := nostrtest.Events(t)
	hex := strings.Repeat("0123456789abcdef", 8)
	gen := nostrtest.NewEventGen(1, 1_700_000_000)
	for range 3000 {
		events = append(events, gen.Event())
	}
	for _, tags := range [][]nostr.Tag{
		nil,
		{{"t", "a\",\"b"}, {"t", "a", "b"}, {"t", `a\`}, {"t", "\n"}, {"t", "plain"}},
		{{"t", "twice"}, {"t", "twice"}, {"e"}, {"", "x"}, {"e", hex[:64]}, {"e", hex[:64]}, {"E", strings.ToUpper(hex[:64])}},
		{{"description", strings.Repeat("x", 2*maxTagGap)}, {"t", "far"}, {"p", hex[:64]}},
		{{"p", hex[:63]}, {"p", hex[:65]}, {"p", hex}, {"é", hex[:64]}, {"imeta", hex[:64], hex[:62]}},
	} {
		for _, content := range []string{"", hex, `"` + hex + hex[:30] + `"`, `["t","plain"`, `{"id":"` + hex[:64] + `"}`, `"` + hex[:63]} {
			events = append(events, &nostr.Event{Tags: tags, Content: content, Kind: 65535, CreatedAt: 1<<63 - 1})
		}
	}
	jsons, bodies := 0, 0
	for _, e := range events {
		h, json := nostr.AppendHeader(nil, e), e.AppendJSON(nil)
		body := appendBody(nil, h, json)
		if got := unpacked(t, h, body); !bytes.Equal(got, json) {
			t.Fatalf("packed\n%s\nunpacked\n%s", json, got)
		}
		if body[0] != packedBody || bodyJSONLen(h, body) != len(json) {
			t.Fatalf("%s\nis packed as %x with length %d, want %d", json, body, bodyJSONLen(h, body), len(json))
		}
		jsons, bodies = jsons+len(json), bodies+len(body)
	}
	if bodies*4 > jsons*3 {
		t.Errorf("%d bytes of JSON are packed in %d", jsons, bodies)
	}
}

// TestBodyAsItIs keeps what is not the canonical JSON of its header, such as what
// stores of format 2 hold.
func TestBodyAsItIs(t *testing.T) {
	e := nostrtest.Events(t)[0]
	h, json := nostr.AppendHeader(nil, e), string(e.AppendJSON(nil))
	other := *e
	other.CreatedAt++
	for _, text := range []string{
		"", "{", "{}", json[:len(json)-1], json + " ", " " + json, strings.Replace(json, `,"sig"`, `,"sag"`, 1),
		strings.Replace(json, e.Sig.String(), strings.ToUpper(e.Sig.String()), 1),
		string(other.AppendJSON(nil)),
	} {
		body := appendBody(nil, h, []byte(text))
		if string(body) != text {
			t.Errorf("%s\nis packed as %x", text, body)
		}
		if got := unpacked(t, h, body); string(got) != text {
			t.Errorf("packed\n%s\nunpacked\n%s", text, got)
		}
	}
}

// TestBodyDamaged cuts and changes a body: whatever comes of it, it is an error or text.
func TestBodyDamaged(t *testing.T) {
	e := &nostr.Event{Tags: []nostr.Tag{{"t", "topic"}, {"imeta", strings.Repeat("ab", 32)}, {"p", strings.Repeat("cd", 32)}}, Content: "content"}
	h := nostr.AppendHeader(nil, e)
	body := appendBody(nil, h, e.AppendJSON(nil))
	failed := 0
	for i := range body {
		for _, changed := range [][]byte{body[:i], append(append(bytes.Clone(body[:i]), body[i]^0x7f), body[i+1:]...)} {
			if _, err := appendBodyJSON(nil, h, changed); err != nil {
				failed++
			}
			if n := bodyJSONLen(h, changed); n > 2*(len(h)+len(changed))+sigEnd {
				t.Errorf("body %x: JSON of %d bytes is announced", changed, n)
			}
		}
	}
	if failed == 0 {
		t.Error("no damage was found")
	}
}

// TestBodyLooksNotFar: a tag is looked for up to maxTagGap behind the one before, and
// no farther, or an event of thousands of tags none of which stands in the JSON as in
// the header would take as long as looking for each in all of it.
func TestBodyLooksNotFar(t *testing.T) {
	for between, packed := range map[int]bool{maxTagGap - 100: true, maxTagGap + 100: false} {
		e := &nostr.Event{Tags: []nostr.Tag{{"description", strings.Repeat("x", between)}, {"t", "far"}}}
		h, json := nostr.AppendHeader(nil, e), e.AppendJSON(nil)
		body := appendBody(nil, h, json)
		if bytes.Contains(body, []byte("far")) == packed {
			t.Errorf("%d bytes behind another: packed is %v", between, !packed)
		}
		if got := unpacked(t, h, body); !bytes.Equal(got, json) {
			t.Errorf("packed\n%s\nunpacked\n%s", json, got)
		}
	}
}

func FuzzBody(f *testing.F) {
	for _, e := range nostrtest.Events(f)[:20] {
		f.Add(e.AppendJSON(nil), []byte{})
	}
	f.Fuzz(func(t *testing.T, json, body []byte) {
		e, err := nostr.ParseEvent(json, nostr.EventLimits{})
		if err != nil {
			return
		}
		h := nostr.AppendHeader(nil, e)
		if got := unpacked(t, h, appendBody(nil, h, json)); !bytes.Equal(got, json) {
			t.Fatalf("packed\n%s\nunpacked\n%s", json, got)
		}
		appendBodyJSON(nil, h, append([]byte{packedBody}, body...))
	})
}

func BenchmarkBody(b *testing.B) {
	events := nostrtest.Events(b)
	var headers []nostr.Header
	var jsons, bodies [][]byte
	for _, e := range events {
		h, json := nostr.AppendHeader(nil, e), e.AppendJSON(nil)
		headers, jsons, bodies = append(headers, h), append(jsons, json), append(bodies, appendBody(nil, h, json))
	}
	var buf []byte
	b.Run("pack", func(b *testing.B) {
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			buf = appendBody(buf[:0], headers[n%len(headers)], jsons[n%len(jsons)])
		}
	})
	b.Run("unpack", func(b *testing.B) {
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			var err error
			if buf, err = appendBodyJSON(buf[:0], headers[n%len(headers)], bodies[n%len(bodies)]); err != nil {
				b.Fatal(err)
			}
		}
	})
}
