package nostr_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
)

// short returns the JSON of the real events below 4 KB, which are nearly all.
func short(b *testing.B) (lines [][]byte, bytes int64) {
	for _, line := range nostrtest.Lines(b) {
		if len(line) < 4096 {
			lines = append(lines, line)
			bytes += int64(len(line))
		}
	}
	return lines, bytes / int64(len(lines))
}

func BenchmarkParseEvent(b *testing.B) {
	lines, size := short(b)
	b.SetBytes(size)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := nostr.ParseEvent(lines[i%len(lines)], nostr.EventLimits{}); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkParseEvent630 parses an event of 630 bytes, the size that load
// generators use.
func BenchmarkParseEvent630(b *testing.B) {
	e := nostrtest.NewEventGen(1, 1_700_000_000).Event()
	e.Tags = []nostr.Tag{{"e", e.ID.String()}, {"p", e.PubKey.String()}}
	e.Content = strings.Repeat("word ", 20)
	text := e.AppendJSON(nil)
	e.Content += strings.Repeat("x", 630-len(text))
	text = e.AppendJSON(nil)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := nostr.ParseEvent(text, nostr.EventLimits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkEvents(b *testing.B, each func(*nostr.Event)) {
	lines, size := short(b)
	events := make([]*nostr.Event, len(lines))
	for i, line := range lines {
		e, err := nostr.ParseEvent(line, nostr.EventLimits{})
		if err != nil {
			b.Fatal(err)
		}
		events[i] = e
	}
	b.SetBytes(size)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		each(events[i%len(events)])
		i++
	}
}

func BenchmarkComputeID(b *testing.B) {
	benchmarkEvents(b, func(e *nostr.Event) { e.ComputeID() })
}

func BenchmarkAppendJSON(b *testing.B) {
	var dst []byte
	benchmarkEvents(b, func(e *nostr.Event) { dst = e.AppendJSON(dst[:0]) })
}

func BenchmarkAppendHeader(b *testing.B) {
	var dst []byte
	benchmarkEvents(b, func(e *nostr.Event) { dst = nostr.AppendHeader(dst[:0], e) })
}

func BenchmarkCheckHeader(b *testing.B) {
	var headers []nostr.Header
	for _, e := range nostrtest.Events(b) {
		headers = append(headers, nostr.AppendHeader(nil, e))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := nostr.CheckHeader(headers[i%len(headers)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkMatch(b *testing.B) {
	b.Run("random", func(b *testing.B) {
		events := nostrtest.Events(b)
		gen := nostrtest.NewFilterGen(1, events)
		var headers []nostr.Header
		for _, e := range events {
			headers = append(headers, nostr.AppendHeader(nil, e))
		}
		filters := make([]nostr.Filter, 1000)
		for i := range filters {
			filters[i] = gen.Filter()
		}
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			filters[i%len(filters)].Match(headers[i%len(headers)])
			i++
		}
	})
	b.Run("long", func(b *testing.B) {
		f, h := longFilter(b)
		b.ReportAllocs()
		for b.Loop() {
			f.Match(h)
		}
	})
	b.Run("tags=100000", func(b *testing.B) {
		f, h := manyTags()
		b.ReportAllocs()
		for b.Loop() {
			f.Match(h)
		}
	})
}

// manyTags returns a header of as many tags as an event may have, and a filter
// that asks all of them in vain.
func manyTags() (nostr.Filter, nostr.Header) {
	e := &nostr.Event{}
	for i := range 100_000 {
		e.Tags = append(e.Tags, nostr.Tag{"p", nostr.EventID{byte(i), byte(i >> 8), byte(i >> 16)}.String()})
	}
	t := nostr.TagFilter{Name: 'p'}
	for i := range 500 {
		t.Values = append(t.Values, nostr.PackedTagValue([32]byte{byte(i), byte(i >> 8), 0xff}))
	}
	f := nostr.All()
	f.Tags = []nostr.TagFilter{t}
	f.Sort()
	return f, nostr.AppendHeader(nil, e)
}

func BenchmarkParseFilters(b *testing.B) {
	key := strings.Repeat("ab", 32)
	rng := rand.New(rand.NewPCG(1, 0))
	var authors strings.Builder
	for range 200 {
		fmt.Fprintf(&authors, `,"%s"`, longKey(rng))
	}
	for name, text := range map[string]string{
		"id":   `{"ids":["` + key + `"]}`,
		"tag":  `{"kinds":[1,6,7,9735],"#p":["` + key + `"],"limit":50}`,
		"feed": `{"kinds":[1,6],"authors":[` + authors.String()[1:] + `],"limit":100}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := nostr.ParseFilters([]byte(text), nostr.FilterLimits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkMatchAuthors asks 500 authors for events of many others.
func BenchmarkMatchAuthors(b *testing.B) {
	f, _ := longFilter(b)
	f = nostr.Filter{Authors: f.Authors}
	var headers []nostr.Header
	for i := range 4096 {
		e := &nostr.Event{PubKey: nostr.PubKey{byte(i * 7919), byte(i >> 4), byte(i * 31)}}
		headers = append(headers, nostr.AppendHeader(nil, e))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		f.Match(headers[i%len(headers)])
		i++
	}
}
