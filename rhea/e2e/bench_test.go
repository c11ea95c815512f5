package e2e

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/subject"
)

// cpu is the CPU time that all of a relay's processes have used, from /proc, in
// ticks of ten milliseconds.
func cpu(tb testing.TB, r *relay, roster *bus.Roster) (total time.Duration) {
	tb.Helper()
	pids := map[int32]bool{int32(r.cmd.Process.Pid): true}
	for _, st := range subject.Stages() {
		for _, m := range members(tb, roster, st, 1) {
			pids[m.Pid] = true
		}
	}
	for pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			tb.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		for _, f := range fields[11:13] { // utime and stime
			ticks, _ := strconv.Atoi(f)
			total += time.Duration(ticks) * 10 * time.Millisecond
		}
	}
	return total
}

// measure runs n operations and reports what the relay spent on each, and the
// middle and the 99th of a hundred of the latencies that op returns.
func measure(b *testing.B, r *relay, roster *bus.Roster, op func(i int) time.Duration) {
	took := make([]time.Duration, 0, b.N)
	before := cpu(b, r, roster)
	b.ResetTimer()
	for i := range b.N {
		took = append(took, op(i))
	}
	b.StopTimer()
	spent := cpu(b, r, roster) - before
	slices.Sort(took)
	b.ReportMetric(float64(spent.Microseconds())/float64(b.N), "relay-cpu-µs/op")
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkRelay drives a relay of each kind over a real socket. The client shares
// the machine; its work is in the latencies, not in relay-cpu.
func BenchmarkRelay(b *testing.B) {
	for _, mode := range []string{"up", "solo"} {
		b.Run(mode, func(b *testing.B) {
			r := start(b, mode, "", nil)
			_, roster := onlooker(b, r.busURL())
			c, err := connect(r.url)
			if err != nil {
				b.Fatal(err)
			}
			defer c.close()
			gen := nostrtest.NewEventGen(1, 1_700_000_000)
			made := 0
			next := func() *nostr.Event {
				e := gen.Event()
				// Nothing that asks for AUTH, expires, deletes or comes twice: it is the ordinary
				// way that is measured.
				made++
				e.Content += fmt.Sprint(made)
				e.Tags = slices.DeleteFunc(e.Tags, func(t nostr.Tag) bool { return t[0] == "-" || t[0] == "expiration" })
				if e.Kind == 5 {
					e.Kind = 1
				}
				if err := nostrtest.Sign(e, nostrtest.Secret(uint64(e.CreatedAt)%50)); err != nil {
					b.Fatal(err)
				}
				return e
			}
			var last *nostr.Event
			must := func(o ok, err error) {
				if err != nil || !o.accepted && !strings.HasPrefix(o.text, "replaced:") {
					b.Fatal(o, err)
				}
			}
			for _, window := range []int{1, 64} {
				b.Run(fmt.Sprintf("event/in flight %d", window), func(b *testing.B) {
					events := make([]*nostr.Event, b.N)
					for i := range events {
						events[i] = next()
					}
					begun := make([]time.Time, b.N)
					answers := make([]<-chan ok, b.N)
					await := func(i int) time.Duration {
						o := <-answers[i]
						must(o, nil)
						return time.Since(begun[i])
					}
					sent := 0
					measure(b, r, roster, func(i int) time.Duration {
						for ; sent < len(events) && sent < i+window; sent++ {
							begun[sent] = time.Now()
							if answers[sent], err = c.publishAsync(events[sent].AppendJSON(nil), events[sent].ID.String()); err != nil {
								b.Fatal(err)
							}
						}
						last = events[i]
						return await(i)
					})
				})
			}
			for _, q := range []struct{ name, filter string }{
				{"by id", fmt.Sprintf(`{"ids":["%s"]}`, last.ID)},
				{"author and kind, newest 20", fmt.Sprintf(`{"authors":["%s"],"kinds":[%d],"limit":20}`, last.PubKey, last.Kind)},
				{"newest 100", `{"limit":100}`},
			} {
				b.Run("req/"+q.name, func(b *testing.B) {
					measure(b, r, roster, func(int) time.Duration {
						begin := time.Now()
						if _, err := c.query("q", q.filter); err != nil {
							b.Fatal(err)
						}
						return time.Since(begin)
					})
				})
			}
			b.Run("live", func(b *testing.B) {
				s, err := c.subscribe("live", `{"limit":0}`)
				if err == nil {
					err = c.waitEOSE(s)
				}
				if err != nil {
					b.Fatal(err)
				}
				defer c.unsubscribe("live")
				events := make([]*nostr.Event, b.N)
				for i := range events {
					events[i] = next()
				}
				measure(b, r, roster, func(i int) time.Duration {
					begin, seen := time.Now(), len(s.all())
					o, err := c.publish(events[i].AppendJSON(nil), events[i].ID.String())
					if must(o, err); o.text == "" {
						if err := c.wait(s, func() bool { return len(s.events) > seen }); err != nil {
							b.Fatal(err)
						}
					}
					return time.Since(begin)
				})
			})
		})
	}
}
