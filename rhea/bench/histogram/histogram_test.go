package histogram

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestBuckets(t *testing.T) {
	last := -1
	for v := uint64(0); v < 1<<highest; v += 1 + v/1000 {
		i := bucket(v)
		if i < last || i > last+1 {
			t.Fatalf("%d is in bucket %d, what is below it in %d", v, i, last)
		}
		last = i
		if up := edge(i); up < v || float64(up-v) > float64(v)/64 {
			t.Fatalf("%d counts as %d", v, up)
		}
		if i > 0 && edge(i-1) >= v {
			t.Fatalf("%d is in bucket %d, and the one below ends at %d", v, i, edge(i-1))
		}
	}
	if last != buckets-1 || bucket(1<<62) != last {
		t.Fatalf("the largest value is in bucket %d of %d", last, buckets)
	}
}

// Percentiles agree with a sorted slice.
func TestPercentile(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var h Histogram
	var all []time.Duration
	for range 10_000 {
		d := time.Duration(rng.ExpFloat64() * float64(time.Millisecond))
		h.Record(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, p := range []float64{1, 50, 95, 99, 99.9, 100} {
		want := all[max(int(p/100*10_000+0.5), 1)-1]
		if got := h.Percentile(p); got < want || float64(got) > float64(want)*(1+1.0/64) {
			t.Errorf("p%v is %s, want %s", p, got, want)
		}
	}
	if h.Max() != all[len(all)-1] || h.Count() != 10_000 {
		t.Errorf("max %s of %d", h.Max(), h.Count())
	}
}

func TestNothingRecorded(t *testing.T) {
	var h Histogram
	if h.Percentile(50) != 0 || h.Max() != 0 || h.Count() != 0 {
		t.Fatal("something comes of nothing")
	}
	h.Record(-time.Second)
	if h.Percentile(99) != 0 || h.Count() != 1 {
		t.Fatal("a time before 0 is not 0")
	}
}
