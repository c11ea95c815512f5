package store

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
)

// minIngest is how many events BenchmarkIngest stores at the least: fewer would not
// get as far as the compactions that each event pays its share of.
const minIngest = 100_000

// BenchmarkIngest fills an empty store, a commit of 64 events after the other, and
// tells what an event has cost, flushes and compactions included, and what it takes
// on disk right afterwards, with the WAL and the files that wait to be deleted, and
// when Pebble has come to rest. RHEA_EVENTS may name other events than the real ones.
func BenchmarkIngest(b *testing.B) {
	v := variants{real: nostrtest.Events(b)}
	var events []Incoming
	json := 0
	for range max(minIngest, len(v.real)) {
		e := v.next()
		events = append(events, Incoming{Header: nostr.AppendHeader(nil, e), JSON: e.AppendJSON(nil)})
		json += len(events[len(events)-1].JSON)
	}
	for b.Loop() {
		b.StopTimer()
		s, err := Open(b.TempDir(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		start, used := time.Now(), cpu()
		var last *Commit
		for from := 0; from < len(events); from += 64 {
			c, err := s.Commit(events[from:min(from+64, len(events))])
			if err != nil {
				b.Fatal(err)
			}
			if last != nil {
				if _, _, err := last.Wait(); err != nil {
					b.Fatal(err)
				}
			}
			last = c
		}
		if _, _, err := last.Wait(); err != nil {
			b.Fatal(err)
		}
		took, at := time.Since(start), usage(b, s.dir)
		b.StopTimer()
		settle(s)
		used = cpu() - used
		n := float64(len(events))
		b.ReportMetric(float64(used.Nanoseconds())/n, "cpu-ns/event")
		b.ReportMetric(float64(took.Nanoseconds())/n, "ns/event")
		b.ReportMetric(float64(json)/n, "json-B/event")
		b.ReportMetric(float64(at)/n, "disk-B/event")
		b.ReportMetric(float64(usage(b, s.dir))/n, "settled-B/event")
		b.Logf("%s", s.db.Metrics())
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// usage returns what the files in a directory take. Those that are gone before they
// are looked at take nothing.
func usage(b *testing.B, dir string) (size int64) {
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if os.IsNotExist(err) {
			return nil
		}
		if err == nil && !d.IsDir() {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return size
}
