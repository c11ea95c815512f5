package monitor

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/relaypb"
)

// register has a core take watches, each with the filter of its number, from ten
// gateways, as they come off the bus: one at a time, some hundreds in a turn.
func register(c *core, from, to int, filter func(int) []byte) {
	for num := from; num < to; num++ {
		c.handle(time.Unix(0, 0), &relaypb.SubInbox{Body: &relaypb.SubInbox_Watch{Watch: &relaypb.Watch{
			Conn: uint64(num%10+1) << 32, Num: uint64(num), Filters: filter(num),
		}}})
		if num%256 == 0 {
			c.flush(time.Unix(0, 0))
		}
	}
	c.flush(time.Unix(0, 0))
}

func withdraw(c *core, from, to int) {
	for num := from; num < to; num++ {
		c.handle(time.Unix(0, 0), &relaypb.SubInbox{Body: &relaypb.SubInbox_Unwatch{Unwatch: &relaypb.Unwatch{Conn: uint64(num%10+1) << 32, Num: uint64(num)}}})
	}
}

// popular is where the names begin that filters share.
const popular = 1 << 40

// name is the 64 digits of a stranger's key or event.
func name(num int) string { return fmt.Sprintf("%016x%048x", uint64(num+1)*0x9e3779b97f4a7c15, num) }

func simple(num int) []byte {
	return fmt.Appendf(nil, `{"#p":[%q],"kinds":[1,6,7,9735],"since":1700000000}`, name(num))
}

// small makes the small filters of clients in turn, no two alike.
func small(num int) []byte {
	switch num % 5 {
	case 0:
		return fmt.Appendf(nil, `{"authors":[%q]}`, name(num))
	case 1:
		return fmt.Appendf(nil, `{"authors":[%q],"kinds":[0,3,10002]}`, name(num))
	case 2:
		return fmt.Appendf(nil, `{"#e":[%q],"kinds":[1,7]}`, name(num))
	case 3:
		return fmt.Appendf(nil, `{"ids":[%q]}`, name(num))
	}
	return simple(num)
}

// BenchmarkMillion tells what an event of the real ones costs among a million live
// filters, and what the worst of filters make it cost.
func BenchmarkMillion(b *testing.B) {
	hot := nostrtest.NewEventGen(1, 0).Event()
	hot.Kind, hot.CreatedAt = 1, 1_750_000_000
	hot.Tags = []nostr.Tag{{"p", name(popular)}, {"t", "hot"}}
	header := nostr.AppendHeader(nil, hot)
	var real []nostr.Header
	for _, e := range nostrtest.Events(b) {
		real = append(real, nostr.AppendHeader(nil, e))
	}
	for _, w := range []struct {
		name   string
		more   int // watches beside the million
		filter func(int) []byte
	}{
		{"strangers", 0, nil},
		{"one tag of 100000", 100_000, func(num int) []byte { return fmt.Appendf(nil, `{"#t":["hot"],"since":%d}`, num) }},
		{"one tag, other kinds, of 100000", 100_000, func(num int) []byte { return fmt.Appendf(nil, `{"#t":["hot"],"kinds":[7],"since":%d}`, num) }},
		{"one tag and another of 100000", 100_000, func(num int) []byte { return fmt.Appendf(nil, `{"#t":["hot"],"#z":["%d","x"]}`, num) }},
		{"until long ago of 100000", 100_000, func(num int) []byte { return fmt.Appendf(nil, `{"kinds":[1],"until":%d}`, num) }},
		{"catch-all of 100000", 100_000, func(num int) []byte { return fmt.Appendf(nil, `{"since":%d}`, num%1000) }},
		{"1000 authors of 1000", 1000, func(num int) []byte {
			var list bytes.Buffer
			for i := range 1000 {
				fmt.Fprintf(&list, `,%q`, name(popular+(num*7+i*13)%50_000))
			}
			return fmt.Appendf(nil, `{"authors":[%q%s]}`, hot.PubKey, list.Bytes())
		}},
	} {
		b.Run(w.name, func(b *testing.B) {
			c := benchCore(millions())
			register(c, 0, 1_000_000, small)
			events := real
			if w.filter != nil {
				register(c, 1_000_000, 1_000_000+w.more, w.filter)
				events = []nostr.Header{header}
			}
			if n := c.watches.table.count; n != 1_000_000+w.more {
				b.Fatalf("%d watches", n)
			}
			found, i := 0, 0
			c.index.tried = 0
			b.ReportAllocs()
			for b.Loop() {
				c.index.match(events[i%len(events)], func(f *liveFilter) { found += int(f.watches.n) })
				i++
			}
			b.ReportMetric(float64(found)/float64(i), "recipients/op")
			b.ReportMetric(float64(c.index.tried)/float64(i), "tried/op")
		})
	}
}

// BenchmarkWatch tells what it costs to register and to take back a subscription
// among a million, with the messages about it.
func BenchmarkWatch(b *testing.B) {
	feed := func(num int) []byte {
		list := fmt.Appendf(nil, "%q", name(num))
		for i := range 299 {
			list = fmt.Appendf(list, `,%q`, name(popular+(num*31+i*17)%100_000))
		}
		return fmt.Appendf(nil, `{"authors":[%s],"kinds":[1,6,30023]}`, list)
	}
	c := benchCore(millions())
	register(c, 0, 1_000_000, small)
	for _, kind := range []struct {
		name   string
		filter func(int) []byte
	}{{"simple", simple}, {"feed of 300", feed}} {
		texts := make([][]byte, 4096)
		for i := range texts {
			texts[i] = kind.filter(1_000_000 + i)
		}
		b.Run(kind.name, func(b *testing.B) {
			b.ReportAllocs()
			const turn = 256
			num := 1_000_000
			for b.Loop() {
				for range turn {
					register(c, num, num+1, func(num int) []byte { return texts[num%len(texts)] })
					num++
				}
				if c.watches.table.count != 1_000_000+turn {
					b.Fatalf("%d watches", c.watches.table.count)
				}
				withdraw(c, num-turn, num)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/turn, "ns/watch")
		})
	}
}

// BenchmarkMemory tells what a million small subscriptions take, each filter being
// like no other's: as counted, on the heap, and of the machine's memory.
func BenchmarkMemory(b *testing.B) {
	const watches = 1_000_000
	for b.Loop() {
		runtime.GC()
		debug.FreeOSMemory()
		before, was := heap(), resident(b)
		c := benchCore(millions())
		register(c, 0, watches, simple)
		b.ReportMetric(float64(resident(b)-was)/watches, "residentB/watch")
		b.ReportMetric(float64(heap()-before)/watches, "heapB/watch")
		b.ReportMetric(float64(c.memory())/watches, "countedB/watch")
		runtime.KeepAlive(c)
	}
}

// The memory that is counted is what there is, for watches of all sorts, when they
// have come, when many have gone, and when others have come in their place.
func TestMemoryIsTrue(t *testing.T) {
	feed := func(num int) []byte {
		var list []byte
		for i := range 200 {
			list = fmt.Appendf(list, `,%q`, name(num*i%5000))
		}
		return fmt.Appendf(nil, `{"authors":[%s]}`, list[1:])
	}
	text := func(num int) []byte {
		return fmt.Appendf(nil, `{"#t":["%s %d"]},{"#r":["x"]}`, bytes.Repeat([]byte("long"), num%40), num)
	}
	for _, kind := range []struct {
		name    string
		watches int
		filter  func(int) []byte
	}{{"simple", 20_000, simple}, {"feeds", 800, feed}, {"long texts", 20_000, text}} {
		t.Run(kind.name, func(t *testing.T) {
			before := heap()
			c := benchCore(millions())
			check := func(when string) {
				t.Helper()
				measured, counted := heap()-before, int64(c.memory())
				t.Logf("%s: %d bytes, counted %d: %d for a watch", when, measured, counted, counted/int64(max(c.watches.table.count, 1)))
				if d := measured - counted; d < -measured*15/100 || d > measured*15/100 {
					t.Errorf("%s: %d bytes of memory are counted as %d", when, measured, counted)
				}
			}
			register(c, 0, kind.watches, kind.filter)
			check("all there")
			withdraw(c, kind.watches/4, kind.watches)
			c.index.arena.spare, c.watches.arena.spare = nil, nil
			check("three quarters gone")
			register(c, kind.watches, 2*kind.watches, func(num int) []byte { return small(num) })
			check("others there")
			withdraw(c, 0, 2*kind.watches)
			if c.memory() != 0 {
				t.Errorf("%d bytes are counted when no watch is left", c.memory())
			}
			if left := heap() - before; left > 4<<20 {
				t.Errorf("%d bytes are left", left)
			}
			runtime.KeepAlive(c)
		})
	}
}

func millions() Config {
	cfg := DefaultConfig()
	cfg.MaxWatches, cfg.MaxFilterBytes = 10_000_000, maxHeld
	return cfg
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // what was pooled goes with the second one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// resident is the memory of the process that the machine holds.
func resident(tb testing.TB) int64 {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		tb.Skip("no /proc here")
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(statm), &size, &pages); err != nil {
		tb.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
