package negentropy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// BenchmarkRespond is the answer to the first message about sets of everything:
// equal ones, ones where each of the client's 16 ranges differs, and one of a
// client that has nothing.
func BenchmarkRespond(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		items := random(rand.New(rand.NewPCG(1, 1)), n, 100_000_000)
		server := NewSlice(items)
		fewer := slices.DeleteFunc(slices.Clone(server.items), func(i Item) bool { return i.ID[5] == 5 })
		for _, c := range []struct {
			name   string
			client *Slice
		}{{"equal", server}, {"differing", NewSlice(fewer)}, {"nothing", NewSlice(nil)}} {
			msg := NewClient(c.client, 0).Open()
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) {
				b.ReportAllocs()
				var reply []byte
				for b.Loop() {
					var err error
					if reply, err = Respond(reply[:0], server, msg, 60_000); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(fmt.Sprintf("differing, all ids summed/%d", n), func(b *testing.B) {
			msg := NewClient(NewSlice(fewer), 0).Open()
			for b.Loop() {
				if _, err := Respond(nil, unsummed{server}, msg, 60_000); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// unsummed is a set without stored sums, for comparison.
type unsummed struct{ *Slice }

func (u unsummed) Sum(from, to int) Sum { return u.add(Sum{}, from, to) }

// BenchmarkNewSlice is what a session about a filter's events costs first; they
// come newest first.
func BenchmarkNewSlice(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		items := NewSlice(random(rand.New(rand.NewPCG(1, 1)), n, 100_000_000)).items
		slices.Reverse(items)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				fresh := slices.Clone(items)
				b.StartTimer()
				NewSlice(fresh)
			}
		})
	}
}

// BenchmarkSession is a whole session between sets that differ by one in a
// thousand.
func BenchmarkSession(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		rng := rand.New(rand.NewPCG(1, 1))
		p := deal(rng, random(rng, n, 100_000_000), .0005, .0005)
		server, client := NewSlice(p.server), NewSlice(p.client)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			turns, size := 0, 0
			for b.Loop() {
				c := NewClient(client, 60_000)
				turns, size = 0, 0
				for msg, done := c.Open(), false; !done; turns++ {
					reply, err := Respond(nil, server, msg, 60_000)
					if err != nil {
						b.Fatal(err)
					}
					size += len(msg) + len(reply)
					if msg, done, err = c.Next(nil, reply); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(turns), "turns")
			b.ReportMetric(float64(size), "bytes/session")
		})
	}
}
