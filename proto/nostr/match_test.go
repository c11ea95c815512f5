package nostr_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
)

// TestMatchAgainstOracle compares thousands of random filters, parsed from
// JSON, with the naive reading of the same JSON.
func TestMatchAgainstOracle(t *testing.T) {
	const seed = 20
	t.Log("seed", seed)
	events := nostrtest.Events(t)
	synthetic := nostrtest.NewEventGen(seed, 1_700_000_000)
	for range 1000 {
		events = append(events, synthetic.Event())
	}
	headers := make([]nostr.Header, len(events))
	for i, e := range events {
		headers[i] = nostr.AppendHeader(nil, e)
	}
	gen := nostrtest.NewFilterGen(seed, events)
	found := 0
	for range 2000 {
		text := gen.JSON()
		f, err := nostr.ParseFilter(text, nostr.FilterLimits{})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		got := matching(&f, events, headers)
		want := nostrtest.OracleJSON(events, unlimited(t, text))
		if !slices.Equal(got, want) {
			t.Fatalf("%s: %d found, want %d", text, len(got), len(want))
		}
		if len(want) > 0 {
			found++
			if f.Impossible() {
				t.Fatalf("%s is possible", text)
			}
		}
	}
	if found < 500 {
		t.Errorf("only %d filters find anything: the generator proves little", found)
	}
	t.Log(found, "filters find something")
}

func matching(f *nostr.Filter, events []*nostr.Event, headers []nostr.Header) []*nostr.Event {
	var found []*nostr.Event
	for i, h := range headers {
		if f.Match(h) {
			found = append(found, events[i])
		}
	}
	return nostrtest.OracleJSON(found, []byte(`{}`)) // only to sort
}

// unlimited cuts the limit out of a filter.
func unlimited(t *testing.T, text []byte) []byte {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	delete(members, "limit")
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func compareWithOracle(t *testing.T, events []*nostr.Event, filters []nostr.Filter) {
	t.Helper()
	found := map[*nostr.Event]bool{}
	for _, e := range nostrtest.Oracle(events, filters) {
		found[e] = true
	}
	for _, e := range events {
		if nostr.MatchAny(filters, nostr.AppendHeader(nil, e)) != found[e] {
			t.Fatalf("event %s: found %t by the oracle alone", e.ID, found[e])
		}
	}
}

// TestMatchDoesNotAllocate covers every condition, with long lists.
func TestMatchDoesNotAllocate(t *testing.T) {
	f, h := longFilter(t)
	if !f.Match(h) {
		t.Fatal("no match")
	}
	if n := testing.AllocsPerRun(100, func() { f.Match(h) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// longFilter returns a filter of long lists and a header that it matches.
func longFilter(tb testing.TB) (nostr.Filter, nostr.Header) {
	rng := rand.New(rand.NewPCG(1, 0))
	e := &nostr.Event{CreatedAt: 50, Kind: 1, Tags: []nostr.Tag{{"t", "nostr"}, {"p", longKey(rng).String()}}}
	f := nostr.All()
	f.HasSince, f.HasUntil, f.Since, f.Until = true, true, 50, 50
	f.Kinds = []nostr.Kind{7, 1, 6}
	f.IDs = []nostr.EventID{e.ID}
	p := nostr.TagFilter{Name: 'p', Values: []nostr.TagValue{nostr.NewTagValue(e.Tags[1][1])}}
	topic := nostr.TagFilter{Name: 't', Values: []nostr.TagValue{nostr.NewTagValue("nostr")}}
	for i := range 500 {
		f.Authors = append(f.Authors, longKey(rng))
		f.IDs = append(f.IDs, nostr.EventID(longKey(rng)))
		p.Values = append(p.Values, nostr.PackedTagValue(longKey(rng)))
		topic.Values = append(topic.Values, nostr.NewTagValue(fmt.Sprint("topic", i)))
	}
	e.PubKey = f.Authors[77]
	f.Tags = []nostr.TagFilter{p, topic}
	f.Sort()
	return f, nostr.AppendHeader(nil, e)
}

func longKey(rng *rand.Rand) (pk nostr.PubKey) {
	for i := range pk {
		pk[i] = byte(rng.Uint32())
	}
	return pk
}

// TestMatchLists searches lists of every small length for keys out of so few
// that many agree in their first eight bytes.
func TestMatchLists(t *testing.T) {
	const seed = 3
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	key := func() (k [32]byte) {
		k[7], k[8], k[31] = byte(rng.IntN(5)), byte(rng.IntN(3)), byte(rng.IntN(3))
		return k
	}
	for length := range 60 {
		f := nostr.Filter{IDs: []nostr.EventID{}}
		g := nostr.Filter{Tags: []nostr.TagFilter{{Name: 'x'}, {Name: 'y'}}}
		for range length {
			k := key()
			f.IDs = append(f.IDs, k)
			g.Tags[0].Values = append(g.Tags[0].Values, nostr.PackedTagValue(k))
			g.Tags[1].Values = append(g.Tags[1].Values, nostr.NewTagValue(string(k[:])))
		}
		f.Sort()
		g.Sort()
		for range 100 {
			e := &nostr.Event{ID: key()}
			e.Tags = []nostr.Tag{{"x", e.ID.String()}, {"y", string(e.ID[:])}}
			h, want := nostr.AppendHeader(nil, e), slices.Contains(f.IDs, e.ID)
			if f.Match(h) != want || g.Match(h) != want {
				t.Fatalf("%s among %d: %t by ids, %t by tags, want %t", e.ID, length, f.Match(h), g.Match(h), want)
			}
		}
	}
}
