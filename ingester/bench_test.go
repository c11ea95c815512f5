package ingester

import (
	"runtime"
	"testing"

	"rhea/proto/limits"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
)

// benchmark runs real events through the core in batches of 64.
func benchmark(b *testing.B, goroutines int, trusted bool) {
	lines := nostrtest.Lines(b)
	c := newCore(limits.Default(), policy.Default(), 0, newMetrics(stage.NewMetrics("ingester")))
	w := crew{newWorker: really()}
	size := 0
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		line := lines[i%len(lines)]
		size += len(line)
		c.take(&relaypb.EventFrame{Conn: 1 << 32, Num: uint64(i), Event: line, Trusted: trusted}, 0)
		if i%64 == 63 {
			w.settle(&c.together, &c.alone, goroutines)
			c.finish()
		}
	}
	b.SetBytes(int64(size / b.N))
}

// BenchmarkCheap is all but the signature.
func BenchmarkCheap(b *testing.B) { benchmark(b, 1, true) }

// BenchmarkSignature is with the signature, on one processor.
func BenchmarkSignature(b *testing.B) {
	benchmark(b, 1, false)
}

// BenchmarkSignatureParallel is the same on all processors.
func BenchmarkSignatureParallel(b *testing.B) {
	benchmark(b, runtime.GOMAXPROCS(0), false)
}
