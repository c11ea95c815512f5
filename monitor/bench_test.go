package monitor

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/relaypb"
)

// population makes the subscriptions of typical clients: a feed of hundreds of
// authors, notifications, a thread's replies, a profile, an event by id, a topic.
// Most authors of feeds and most mentioned users are strangers to the events.
type population struct {
	rng    *rand.Rand
	events []*nostr.Event
}

func (p population) author() string {
	if p.rng.IntN(10) == 0 {
		return p.events[p.rng.IntN(len(p.events))].PubKey.String()
	}
	var pk nostr.PubKey
	binary.BigEndian.PutUint64(pk[:], p.rng.Uint64N(100_000)+1)
	return pk.String()
}

func (p population) filter() []byte {
	switch p.rng.IntN(10) {
	case 0, 1, 2:
		list := make([]string, 200+p.rng.IntN(300))
		for i := range list {
			list[i] = p.author()
		}
		return fmt.Appendf(nil, `{"authors":["%s"],"kinds":[1,6,30023]}`, strings.Join(list, `","`))
	case 3, 4, 5:
		return fmt.Appendf(nil, `{"#p":[%q],"kinds":[1,6,7,9735],"since":1700000000}`, p.author())
	case 6:
		return fmt.Appendf(nil, `{"#e":[%q]}`, p.events[p.rng.IntN(len(p.events))].ID)
	case 7:
		return fmt.Appendf(nil, `{"kinds":[0],"authors":[%q]}`, p.author())
	case 8:
		return fmt.Appendf(nil, `{"ids":[%q]}`, p.events[p.rng.IntN(len(p.events))].ID)
	default:
		return fmt.Appendf(nil, `{"#t":["topic%d","nostr"],"kinds":[1]}`, p.rng.IntN(1000))
	}
}

// BenchmarkMatch tells what a commit costs with many live filters: matching alone,
// and with making the messages of ten gateways.
func BenchmarkMatch(b *testing.B) {
	for _, watches := range []int{1000, 100_000} {
		rng := rand.New(rand.NewPCG(1, 1))
		entries, events := realLog(b, rng)
		p := population{rng, events}
		cfg := DefaultConfig()
		cfg.MaxFilterBytes = maxHeld
		c := benchCore(cfg)
		before := heap()
		for num := range watches {
			c.handle(time.Unix(0, 0), &relaypb.SubInbox{Body: &relaypb.SubInbox_Watch{Watch: &relaypb.Watch{
				Conn: uint64(num%10+1) << 32, Num: uint64(num), Filters: p.filter(),
			}}})
		}
		c.flush(time.Unix(0, 0))
		if c.watches.table.count != watches {
			b.Fatalf("%d watches of %d", c.watches.table.count, watches)
		}
		memory := float64(heap()-before) / float64(watches)
		runtime.KeepAlive(p.events)
		var commits []commit
		for _, e := range entries {
			if len(e.Header) > 0 {
				commits = append(commits, commit{seq: 1, header: e.Header, json: e.Json})
			}
		}
		b.Run(fmt.Sprintf("match/%d", watches), func(b *testing.B) {
			b.ReportAllocs()
			found := 0
			c.index.tried = 0
			for i := range b.N {
				c.index.match(commits[i%len(commits)].header, func(f *liveFilter) { found += int(f.watches.n) })
			}
			b.ReportMetric(float64(found)/float64(b.N), "recipients/op")
			b.ReportMetric(float64(c.index.tried)/float64(b.N), "tried/op")
			b.ReportMetric(memory, "B/watch")
			b.ReportMetric(float64(c.memory())/float64(watches), "countedB/watch")
		})
		b.Run(fmt.Sprintf("deliver/%d", watches), func(b *testing.B) {
			b.ReportAllocs()
			seq := uint64(c.window.next)
			for i := range b.N {
				e := commits[i%len(commits)]
				c.follow(time.Unix(0, 0), &relaypb.Entries{Store: 1, From: seq, Next: seq + 1, Entries: []*relaypb.Entry{{Seq: seq, Header: e.header, Json: e.json}}})
				c.flush(time.Unix(0, 0))
				seq++
			}
		})
	}
}

// BenchmarkFanOut tells what a recipient costs when a thousand subscriptions of
// one gateway want every event, with the encoding of the message.
func BenchmarkFanOut(b *testing.B) {
	c := benchCore(DefaultConfig())
	for num := range 1000 {
		c.handle(time.Unix(0, 0), &relaypb.SubInbox{Body: &relaypb.SubInbox_Watch{Watch: &relaypb.Watch{
			Conn: 1 << 32, Num: uint64(num), Filters: []byte(`{"kinds":[1]}`),
		}}})
	}
	c.flush(time.Unix(0, 0))
	e := nostrtest.NewEventGen(1, 0).Event()
	e.Kind = 1
	h := nostr.AppendHeader(nil, e)
	var buf []byte
	b.ReportAllocs()
	for i := range b.N {
		seq := uint64(i + 1)
		c.follow(time.Unix(0, 0), &relaypb.Entries{Store: 1, From: seq, Next: seq + 1, Entries: []*relaypb.Entry{{Seq: seq, Header: h, Json: make([]byte, 600)}}})
		for _, d := range c.flush(time.Unix(0, 0)).deliveries {
			var err error
			buf, err = proto.MarshalOptions{}.MarshalAppend(buf[:0], &relaypb.OutInbox{Body: &relaypb.OutInbox_Deliveries{Deliveries: d.msg}})
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/recipient")
}

// BenchmarkPrivate tells what an event of a private kind costs for each of a
// thousand subscriptions that match it and whose readers are none of its parties:
// with one p tag and one key, and with as many as anybody can have.
func BenchmarkPrivate(b *testing.B) {
	for _, many := range []int{1, 60} {
		c := benchCore(DefaultConfig())
		var keys [][]byte
		for i := range many {
			keys = append(keys, make([]byte, 32))
			binary.BigEndian.PutUint64(keys[i], uint64(2*i))
		}
		for num := range 1000 {
			c.handle(time.Unix(0, 0), &relaypb.SubInbox{Body: &relaypb.SubInbox_Watch{Watch: &relaypb.Watch{
				Conn: 1 << 32, Num: uint64(num), Filters: []byte(`{"kinds":[4]}`), Keys: keys,
			}}})
		}
		c.flush(time.Unix(0, 0))
		e := &nostr.Event{Kind: 4, PubKey: nostr.PubKey{31: 1}}
		for i := range many * many {
			e.Tags = append(e.Tags, nostr.Tag{"p", fmt.Sprintf("%016x%048x", 2*i+1, 0)})
		}
		h := nostr.AppendHeader(nil, e)
		b.Run(fmt.Sprint(many*many, "tags"), func(b *testing.B) {
			seq := uint64(c.window.next)
			for b.Loop() {
				c.follow(time.Unix(0, 0), &relaypb.Entries{Store: 1, From: seq, Next: seq + 1, Entries: []*relaypb.Entry{{Seq: seq, Header: h, Json: make([]byte, 600)}}})
				if len(c.flush(time.Unix(0, 0)).deliveries) > 0 {
					b.Fatal("delivered")
				}
				seq++
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/watch")
		})
	}
}

// BenchmarkCatchUp tells what a thousand subscriptions cost that are registered
// together with a thousand commits to be brought up to date with, as after the
// loss of a monitor.
func BenchmarkCatchUp(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	entries, events := realLog(b, rng)
	p := population{rng, events}
	filters := make([][]byte, 1000)
	for i := range filters {
		filters[i] = p.filter()
	}
	for b.Loop() {
		b.StopTimer()
		c := benchCore(DefaultConfig())
		c.follow(time.Unix(0, 0), between(entries, 1, 1001))
		for num, f := range filters {
			c.handle(time.Unix(0, 0), &relaypb.SubInbox{Body: &relaypb.SubInbox_Watch{Watch: &relaypb.Watch{Conn: 1 << 32, Num: uint64(num), Filters: f}}})
		}
		b.StartTimer()
		c.flush(time.Unix(0, 0))
	}
}

// BenchmarkFollow tells what an event of the log costs a monitor that nobody is
// subscribed at, with the decoding of the message and the collector's work.
func BenchmarkFollow(b *testing.B) {
	c := benchCore(DefaultConfig())
	gen := nostrtest.NewEventGen(1, 0)
	const batch = 32
	e := &relaypb.Entries{Store: 1}
	for range batch {
		event := gen.Event()
		e.Entries = append(e.Entries, &relaypb.Entry{Header: nostr.AppendHeader(nil, event), Json: fmt.Appendf(nil, "%600d", 1)})
	}
	b.ReportAllocs()
	seq := uint64(1)
	for b.Loop() {
		e.From, e.Next = seq, seq+batch
		for i := range e.Entries {
			e.Entries[i].Seq = seq + uint64(i)
		}
		seq = e.Next
		message, err := proto.Marshal(e)
		got := new(relaypb.Entries)
		if err == nil {
			err = proto.Unmarshal(message, got)
		}
		if err != nil {
			b.Fatal(err)
		}
		c.follow(time.Unix(0, 0), got)
		c.flush(time.Unix(0, 0))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/event")
}
