package deflate

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"rhea/proto/nostr/nostrtest"
)

// usual are the real events of a usual size, in an order in which neighbours are not
// alike.
func usual(tb testing.TB) [][]byte {
	var events [][]byte
	lines := nostrtest.Lines(tb)
	for i := range lines {
		if e := lines[i*7919%len(lines)]; len(e) < 8000 {
			events = append(events, e)
		}
	}
	return events
}

// BenchmarkLevels compresses one event at each level of the library, by itself and
// with the context of those before it.
func BenchmarkLevels(b *testing.B) {
	events := usual(b)
	for _, takeover := range []bool{false, true} {
		for _, level := range []int{flate.HuffmanOnly, 1, 2, 6} {
			b.Run(fmt.Sprintf("takeover=%v/level=%d", takeover, level), func(b *testing.B) {
				var out bytes.Buffer
				z := newWriter(b, &out, level)
				plain, packed := 0, 0
				for i := 0; b.Loop(); i++ {
					e := events[i%len(events)]
					if out.Reset(); !takeover {
						z.Reset(&out)
					}
					write(b, z, e)
					plain += len(e)
					packed += out.Len() - len(tail)
				}
				b.ReportMetric(float64(packed)/float64(plain), "ratio")
			})
		}
	}
}

func newWriter(tb testing.TB, w io.Writer, level int) *flate.Writer {
	z, err := flate.NewWriter(w, level)
	if err != nil {
		tb.Fatal(err)
	}
	return z
}

func write(tb testing.TB, z *flate.Writer, message []byte) {
	if _, err := z.Write(message); err != nil {
		tb.Fatal(err)
	}
	if err := z.Flush(); err != nil {
		tb.Fatal(err)
	}
}

// delivery makes the payload of an event for a subscriber and returns its length.
type delivery func(json []byte, subscriber int) int

// ways are the ways of compressing what is delivered, and nothing at all.
func ways(tb testing.TB, prefix string, subscribers int) map[string]delivery {
	var p Packer
	var text, out, run []byte
	var of *byte
	whole := func(json []byte) []byte {
		text = append(append(append(text[:0], prefix...), json...), ']')
		return text
	}
	var wire bytes.Buffer
	var contexts []*flate.Writer
	return map[string]delivery{
		"off": func(json []byte, _ int) int { return len(whole(json)) },
		"takeover": func(json []byte, i int) int {
			for len(contexts) < subscribers {
				contexts = append(contexts, newWriter(tb, &wire, level))
			}
			wire.Reset()
			write(tb, contexts[i], whole(json))
			return wire.Len() - len(tail)
		},
		"message": func(json []byte, _ int) int {
			var shorter bool
			if out, shorter = p.Message(out[:0], whole(json)); shorter {
				return len(out)
			}
			return len(text)
		},
		"shared": func(json []byte, _ int) int {
			if of != &json[0] {
				of = &json[0]
				run, _ = p.Run(run[:0], json)
			}
			if len(run) == 0 {
				return len(whole(json))
			}
			out = append(AppendStored(out[:0], []byte(prefix)), run...)
			return len(out)
		},
	}
}

// BenchmarkDeliveries is what one delivery costs, of events that go to so many
// subscribers each: not compressed, with a context of each connection's own, message
// by message, and compressed once for all. State-B is what a connection holds.
func BenchmarkDeliveries(b *testing.B) {
	events := usual(b)
	const prefix = `["EVENT","f0e1d2c3b4a5",`
	for _, n := range []int{1, 10, 100, 1000} {
		for _, name := range []string{"off", "takeover", "message", "shared"} {
			b.Run(fmt.Sprintf("subscribers=%d/%s", n, name), func(b *testing.B) {
				before := heap()
				deliver := ways(b, prefix, n)[name]
				plain, packed, i := 0, 0, 0
				deliver(events[0], 0)
				for b.Loop() {
					e := events[i/n%len(events)]
					packed += deliver(e, i%n)
					plain += len(prefix) + len(e) + 1
					i++
				}
				b.ReportMetric(float64(packed)/float64(plain), "ratio")
				b.ReportMetric(float64(heap()-before)/float64(n), "state-B")
				runtime.KeepAlive(deliver)
			})
		}
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // what is in a pool goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkInflate inflates a client's messages: a REQ, and an event.
func BenchmarkInflate(b *testing.B) {
	req := []byte(`["REQ","f0e1d2c3b4a5",{"authors":["` + strings.Repeat("0123456789abcdef", 4) + `"],"kinds":[1,6,7],"limit":20}]`)
	for name, text := range map[string][]byte{"req": req, "event": usual(b)[0]} {
		b.Run(name, func(b *testing.B) {
			var in Inflater
			payload := deflated(b, text, 6)
			out := make([]byte, 0, 4096)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := in.Append(out, payload, 4096); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
