package nostrtest_test

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
)

func TestEventsFromFile(t *testing.T) {
	t.Setenv(nostrtest.EventsVar, "")
	lines := nostrtest.Lines(t)[:10]
	text := append(bytes.Join(lines, []byte("\n")), '\n')
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"plain.jsonl": text, "zipped.jsonl.gz": zipped.Bytes()} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv(nostrtest.EventsVar, path)
		if got := nostrtest.Lines(t); !slices.EqualFunc(got, lines, bytes.Equal) {
			t.Errorf("%s: %d lines differ", name, len(got))
		}
		if got := nostrtest.Events(t); len(got) != len(lines) {
			t.Errorf("%s: %d events", name, len(got))
		}
	}
}

// TestOracle spells out the order and the limits by hand.
func TestOracle(t *testing.T) {
	event := func(id byte, at int64, kind nostr.Kind, tags ...nostr.Tag) *nostr.Event {
		return &nostr.Event{ID: nostr.EventID{id}, CreatedAt: at, Kind: kind, Tags: tags}
	}
	events := []*nostr.Event{
		event(3, 10, 1), event(1, 10, 7), event(2, 20, 1, nostr.Tag{"t", "a", "b"}),
		event(5, 5, 1, nostr.Tag{"t"}), event(4, 10, 1, nostr.Tag{"T", "a"}),
	}
	for _, c := range []struct{ filters, want string }{
		{`{}`, "\x02\x01\x03\x04\x05"},
		{`{"limit":2}`, "\x02\x01"},
		{`{"limit":0}`, ""},
		{`{"kinds":[1],"limit":2}`, "\x02\x03"},
		{`{"kinds":[1],"limit":1} {"limit":2}`, "\x02\x01"},
		{`{"kinds":[7]} {"since":10,"until":10}`, "\x01\x03\x04"},
		{`{"#t":["a"]}`, "\x02"},
		{`{"#t":["b"]}`, ""},
		{`{"#T":["x","a"]}`, "\x04"},
		{`{"kinds":[]}`, ""},
		{`{"#t":[]}`, ""},
		{`{"ids":["05` + strings.Repeat("00", 31) + `"]}`, "\x05"},
		{`{"authors":["` + strings.Repeat("00", 32) + `"],"until":9}`, "\x05"},
	} {
		var filters [][]byte
		for text := range strings.FieldsSeq(c.filters) {
			filters = append(filters, []byte(text))
		}
		var got []byte
		for _, e := range nostrtest.OracleJSON(events, filters...) {
			got = append(got, e.ID[0])
		}
		if string(got) != c.want {
			t.Errorf("%s: %v, want %v", c.filters, got, []byte(c.want))
		}
	}
}

// TestSeeds makes sure that a printed seed is enough to see a failure again.
func TestSeeds(t *testing.T) {
	run := func(seed uint64) (out []byte) {
		gen := nostrtest.NewEventGen(seed, 1_700_000_000)
		var events []*nostr.Event
		for range 20 {
			e := gen.Event()
			events = append(events, e)
			out = e.AppendJSON(out)
		}
		filters := nostrtest.NewFilterGen(seed, events)
		for range 50 {
			for _, f := range filters.Filters() {
				out = f.AppendJSON(out)
			}
		}
		return out
	}
	if !bytes.Equal(run(1), run(1)) || bytes.Equal(run(1), run(2)) {
		t.Error("the seed does not determine what is made")
	}
}
