package store

import (
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
)

// benchEvents is how many events the benchmarked store holds: the real ones,
// again and again with other ids, authors and times.
const benchEvents = 100_000

// variants turns the real events into any number of events.
type variants struct {
	real []*nostr.Event
	n    int
}

func (v *variants) next() *nostr.Event {
	e := *v.real[v.n%len(v.real)]
	round := uint64(v.n / len(v.real))
	v.n++
	if round > 0 {
		binary.BigEndian.PutUint64(e.PubKey[:], binary.BigEndian.Uint64(e.PubKey[:])+round<<32)
		e.CreatedAt += int64(round) * 61
		e.ID = e.ComputeID()
	}
	return &e
}

var bench struct { // made once for all benchmarks of a run
	once   sync.Once
	dir    string
	events []*nostr.Event
}

// benchStore opens a store on disk that holds benchEvents.
func benchStore(b *testing.B) (*Store, []*nostr.Event) {
	bench.once.Do(func() {
		var err error
		if bench.dir, err = os.MkdirTemp("", "rhea-store-bench"); err != nil {
			b.Fatal(err)
		}
		s, err := Open(bench.dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		v := variants{real: nostrtest.Events(b)}
		start := time.Now()
		for range benchEvents {
			bench.events = append(bench.events, v.next())
		}
		load(b, s, bench.events)
		took := time.Since(start)
		settle(s)
		b.Logf("loaded %d events in %v; %s", s.Head(), took, s.db.Metrics())
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	})
	s, err := Open(bench.dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	settle(s)
	b.Cleanup(func() { s.Close() })
	return s, bench.events
}

// settle waits until Pebble has nothing left to do, lest compactions run beside
// what is measured.
func settle(s *Store) {
	for quiet := 0; quiet < 20; {
		if m := s.db.Metrics(); m.Compact.NumInProgress+m.Flush.NumInProgress > 0 {
			quiet = 0
		} else {
			quiet++
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// cpu returns what this process has used, which says more than the wall clock on
// a machine with others on it.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkCommit64(b *testing.B) {
	for _, mode := range []string{"new", "duplicate"} {
		b.Run(mode, func(b *testing.B) {
			s, err := Open(b.TempDir(), Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			v := variants{real: nostrtest.Events(b)}
			batch := make([]Incoming, 64)
			next := func() {
				for i := range batch {
					batch[i] = incomingOf(v.next())
				}
			}
			next()
			commit(b, s, batch...)
			var last *Commit
			var used time.Duration
			b.ResetTimer()
			for b.Loop() {
				if mode == "new" {
					b.StopTimer()
					next()
					b.StartTimer()
				}
				start := cpu()
				c, err := s.Commit(batch)
				if err != nil {
					b.Fatal(err)
				}
				if last != nil {
					if _, _, err := last.Wait(); err != nil {
						b.Fatal(err)
					}
				}
				last = c
				used += cpu() - start
			}
			if _, _, err := last.Wait(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*64), "ns/event")
			b.ReportMetric(float64(used.Nanoseconds())/float64(b.N*64), "cpu-ns/event")
		})
	}
}

func BenchmarkScan(b *testing.B) {
	s, events := benchStore(b)
	rng := rand.New(rand.NewPCG(1, 1))
	pick := func() *nostr.Event { return events[rng.IntN(len(events))] }
	newest := slices.Clone(events)
	slices.SortFunc(newest, func(a, b *nostr.Event) int { return cmp.Compare(b.CreatedAt, a.CreatedAt) })
	newest = newest[:2000]
	queries := map[string]func() nostr.Filter{
		"id": func() nostr.Filter { return nostr.Filter{IDs: []nostr.EventID{pick().ID}, Limit: nostr.NoLimit} },
		"author+kind/20": func() nostr.Filter {
			e := pick()
			return nostr.Filter{Authors: []nostr.PubKey{e.PubKey}, Kinds: []nostr.Kind{e.Kind}, Limit: 20}
		},
		"kind1/500": func() nostr.Filter { return nostr.Filter{Kinds: []nostr.Kind{1}, Limit: 500} },
		"feed200x2/100": func() nostr.Filter {
			f := nostr.Filter{Kinds: []nostr.Kind{1, 6}, Limit: 100}
			for range 200 {
				f.Authors = append(f.Authors, pick().PubKey)
			}
			f.Sort()
			return f
		},
		"authors1000x5/100": func() nostr.Filter {
			f := nostr.Filter{Kinds: []nostr.Kind{1, 3, 6, 7, 30023}, Limit: 100}
			for range 1000 {
				f.Authors = append(f.Authors, pick().PubKey)
			}
			f.Sort()
			return f
		},
		// Those who wrote lately: a relay of a few thousand people, of whom one follows some.
		"feed200x2/100-near": func() nostr.Filter {
			f := nostr.Filter{Kinds: []nostr.Kind{1, 6}, Limit: 100}
			for len(f.Authors) < 200 {
				f.Authors = append(f.Authors, newest[rng.IntN(len(newest))].PubKey)
				f.Sort()
			}
			return f
		},
		"p+4kinds/50": func() nostr.Filter {
			return nostr.Filter{Kinds: []nostr.Kind{1, 6, 7, 9735}, Limit: 50, Tags: []nostr.TagFilter{mentioned(pick)}}
		},
		// All but nothing of this is reading: the ids have to be looked up to tell which
		// of the events is the newest.
		"ids10000/1": func() nostr.Filter {
			f := nostr.Filter{Limit: 1}
			for range 10_000 {
				f.IDs = append(f.IDs, pick().ID)
			}
			f.Sort()
			return f
		},
		"all/100": func() nostr.Filter { return nostr.Filter{Limit: 100} },
	}
	for _, name := range []string{"id", "author+kind/20", "kind1/500", "feed200x2/100", "feed200x2/100-near", "authors1000x5/100", "p+4kinds/50", "ids10000/1", "all/100"} {
		b.Run(name, func(b *testing.B) {
			filters := make([][]nostr.Filter, 4096) // more than caches hold what they lead to
			if strings.HasPrefix(name, "authors") || strings.HasPrefix(name, "ids") {
				filters = filters[:64] // which lead to as many
			}
			for i := range filters {
				filters[i] = []nostr.Filter{queries[name]()}
			}
			b.ReportAllocs()
			b.ResetTimer()
			found, n, start := 0, 0, cpu()
			for b.Loop() {
				v, err := s.View()
				if err != nil {
					b.Fatal(err)
				}
				res, err := v.Scan(ScanRequest{Filters: filters[n%len(filters)], MaxBytes: 1 << 20, MaxTime: time.Hour})
				if err != nil || !res.Done {
					b.Fatalf("done %v, %v", res.Done, err)
				}
				found += len(res.Events)
				n++
				v.Close()
			}
			b.ReportMetric(float64((cpu()-start).Nanoseconds())/float64(n), "cpu-ns/op")
			b.ReportMetric(float64(found)/float64(n), "events/op")
		})
	}
}

// mentioned is the p tag of an event that has one.
func mentioned(pick func() *nostr.Event) nostr.TagFilter {
	for {
		for _, tag := range pick().Tags {
			if len(tag) > 1 && tag[0] == "p" {
				return nostr.TagFilter{Name: 'p', Values: []nostr.TagValue{nostr.NewTagValue(tag[1])}}
			}
		}
	}
}

func TestMain(m *testing.M) {
	code := m.Run()
	if bench.dir != "" {
		os.RemoveAll(bench.dir)
	}
	os.Exit(code)
}
