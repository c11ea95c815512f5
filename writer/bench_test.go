package writer

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/relaypb"
)

// BenchmarkCommit is the time of an event from write to its verdict, on a real
// disk, with so many unanswered at any time. The events are regular ones of
// about 1 kB, none twice.
func BenchmarkCommit(b *testing.B) {
	for _, inFlight := range []int{1, 64} {
		b.Run(fmt.Sprint("inflight=", inFlight), func(b *testing.B) { benchmarkCommit(b, inFlight) })
	}
}

func benchmarkCommit(b *testing.B, inFlight int) {
	var base []*nostr.Event
	for _, e := range nostrtest.Events(b) {
		if e.Kind == 1 && plain(e) {
			base = append(base, e)
		}
	}
	cfg := DefaultConfig()
	cfg.Dir = b.TempDir()
	w := newWorld(b)
	r := w.start(cfg, vfs.Default)
	n := 0
	send := func() {
		e := *base[n%len(base)]
		n++
		e.CreatedAt += int64(n)
		e.ID = e.ComputeID()
		w.admit(admittedOf(&e))
		w.flush()
	}
	for b.Loop() {
		if n < inFlight {
			send()
			continue
		}
		if v := w.verdict(); v.Outcome != relaypb.Outcome_NEW {
			b.Fatal(v)
		}
		w.published()
		send()
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(r.writer.metrics.received.Value())/float64(r.writer.metrics.commits.Value()), "events/commit")
	r.stop()
}
