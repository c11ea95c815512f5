package store

import (
	"testing"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
)

// BenchmarkBulk reads whole queries, in slices of the default size, for a reader to
// whom some kinds are private.
func BenchmarkBulk(b *testing.B) {
	s, events := benchStore(b)
	var author nostr.PubKey
	most, number := 0, map[nostr.PubKey]int{}
	for _, e := range events {
		if number[e.PubKey]++; number[e.PubKey] > most {
			author, most = e.PubKey, number[e.PubKey]
		}
	}
	all, notes, letters := nostr.All(), nostr.All(), nostr.All()
	notes.Kinds, letters.Kinds = []nostr.Kind{1}, []nostr.Kind{1, 4}
	tagged, by := nostr.All(), nostr.All()
	tagged.Kinds, by.Authors = []nostr.Kind{3}, []nostr.PubKey{author}
	tagged.Tags = []nostr.TagFilter{{Name: 'p', Values: []nostr.TagValue{nostr.PackedTagValue(author)}}}
	for _, c := range []struct {
		name   string
		want   relaypb.Want
		offset int
		filter nostr.Filter
	}{
		{"ids/all", relaypb.Want_IDS, 0, all},
		{"ids/kind1", relaypb.Want_IDS, 0, notes},
		{"count/all", relaypb.Want_COUNT, 0, all},
		{"count/kind1", relaypb.Want_COUNT, 0, notes},
		{"count/kinds1,4", relaypb.Want_COUNT, 0, letters},
		{"count/author", relaypb.Want_COUNT, 0, by},
		{"count/kind3+p", relaypb.Want_COUNT, 0, tagged},
		{"hll/kind1", relaypb.Want_COUNT, 16, notes},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			found, start := 0, cpu()
			for b.Loop() {
				req := ScanRequest{
					Filters: []nostr.Filter{c.filter}, Want: c.want, HLLOffset: c.offset, MaxTime: time.Hour,
					Access: nostr.Access{Private: []nostr.Kind{4, 1059, 21059}}, Now: 1_800_000_000,
				}
				for done := false; !done; {
					withView(b, s, func(v *View) {
						res, err := v.Scan(req)
						if err != nil {
							b.Fatal(err)
						}
						found += len(res.IDs)/IDLen + int(res.Count)
						req.Cursor, req.AsOf, done = res.Cursor, res.AsOf, res.Done
					})
				}
			}
			used := cpu() - start
			b.ReportMetric(float64(used.Nanoseconds())/float64(max(found, 1)), "cpu-ns/item")
			b.ReportMetric(float64(found)/float64(b.N), "items/op")
		})
	}
}
