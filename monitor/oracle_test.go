package monitor

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// realLog returns the real events as log entries, in an order of their own, with
// holes where events have left the store and removals among them.
func realLog(tb testing.TB, r *rand.Rand) (entries []*relaypb.Entry, events []*nostr.Event) {
	events = nostrtest.Events(tb)
	lines := nostrtest.Lines(tb)
	order := r.Perm(len(events))
	gone := uint64(0)
	for seq := uint64(1); len(order) > 0; seq++ {
		switch r.IntN(20) {
		case 0: // left the store
			gone = seq
		case 1:
			entries = append(entries, &relaypb.Entry{Seq: seq, Removed: []*relaypb.Removed{{Seq: gone}}})
		default:
			i := order[0]
			order = order[1:]
			entries = append(entries, &relaypb.Entry{Seq: seq, Header: nostr.AppendHeader(nil, events[i]), Json: lines[i]})
		}
	}
	return entries, events
}

// between returns the batch of the log of the Seqs from up to, not including, next.
func between(entries []*relaypb.Entry, from, next uint64) *relaypb.Entries {
	lo, _ := slices.BinarySearchFunc(entries, from, bySeq)
	hi, _ := slices.BinarySearchFunc(entries, next, bySeq)
	return &relaypb.Entries{Store: 1, From: from, Next: next, Entries: entries[lo:hi]}
}

func bySeq(e *relaypb.Entry, seq uint64) int { return int(int64(e.Seq) - int64(seq)) }

// client is a subscription of the test and what it has received.
type client struct {
	gw           subject.Instance
	num          uint64
	filters      []nostr.Filter
	keys         [][]byte
	after, until uint64 // until: the position when it was taken back, 0 if never
	confirmed    bool
	got          []uint64
}

// wanted is what the client must have received if nothing had expired, by looping
// over the whole log.
func (c *client) wanted(entries []*relaypb.Entry, position uint64) (seqs []uint64) {
	for _, e := range entries {
		if e.Seq > c.after && e.Seq <= position && len(e.Header) > 0 && nostr.MatchAny(c.filters, nostr.Header(e.Header)) && maySee(e.Header, c.keys) {
			seqs = append(seqs, e.Seq)
		}
	}
	return seqs
}

// Subscriptions come and go while the log goes on and events expire. Each receives
// exactly what looping over all filters finds behind its `after` and its keys may
// see, once, in the order of Seqs, and nothing that has expired.
func TestMatchesLikeALoop(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	entries, events := realLog(t, r)
	gen := nostrtest.NewFilterGen(seed, events)
	head := entries[len(entries)-1].Seq
	const seconds = 1000
	expiring(entries, r, 0, 2*seconds)

	cfg := Config{WindowBytes: 256 << 10, WindowEntries: 500, MaxWatches: 10_000, MaxFilterBytes: 1 << 30}
	shard := func(subject.ConnID) subject.Shard { return 0 }
	c := newCore(7, cfg, nostr.FilterLimits{}, policy.Policy{PrivateKinds: privateKinds}, shard, newMetrics(stage.NewMetrics("monitor")))
	c.reshard(time.Unix(0, 0), []subject.Shard{0}, nil)
	now := time.Unix(0, 0)

	clients := make(map[[2]uint64]*client)
	var all []*client
	numbers := make(map[subject.Instance]uint64)
	upto := make(map[subject.Instance]uint64)
	var asked *fetch
	position := head / 4
	flush := func() {
		out := c.flush(now)
		for _, d := range out.deliveries {
			if numbers[d.to]++; d.msg.Number != numbers[d.to] || d.msg.Monitor != 7 || d.msg.Upto < upto[d.to] {
				t.Fatalf("gateway %d: number %d upto %d, expected number %d upto at least %d", d.to, d.msg.Number, d.msg.Upto, numbers[d.to], upto[d.to])
			}
			upto[d.to] = d.msg.Upto
			if n := proto.Size(d.msg); n > bus.MaxBatch && len(d.msg.Events) > 1 {
				t.Fatalf("a message of %d bytes with %d events", n, len(d.msg.Events))
			}
			for _, e := range d.msg.Events {
				if expired(entries, e.Seq, now.Unix()) {
					t.Fatalf("event %d is sent although it has expired", e.Seq)
				}
				for _, num := range e.Nums {
					cl := clients[[2]uint64{uint64(d.to), num}]
					cl.got = append(cl.got, e.Seq)
				}
			}
			for _, num := range d.msg.Watching {
				clients[[2]uint64{uint64(d.to), num}].confirmed = true
			}
		}
		if out.fetch != nil {
			asked = out.fetch
		}
		// Only now, when nothing that was matched before waits to be sent.
		now = time.Unix(min(now.Unix()+r.Int64N(4), seconds), 0)
	}
	c.follow(now, &relaypb.Entries{Store: 1, From: position + 1, Next: position + 1})
	for num := uint64(1); num <= 1000 || position < head || len(c.waiting) > 0; num++ {
		if num <= 1000 {
			cl := &client{gw: subject.Instance(r.IntN(3) + 1), num: num, filters: gen.Filters(), keys: someKeys(r, events)}
			cl.after = []uint64{position, position - min(position, r.Uint64N(100)), r.Uint64N(position + 1), position + r.Uint64N(10)}[r.IntN(4)]
			clients[[2]uint64{uint64(cl.gw), num}] = cl
			all = append(all, cl)
			c.handle(now, watchOf(cl, num))
		}
		for range r.IntN(3) {
			if cl := all[r.IntN(len(all))]; cl.until == 0 && r.IntN(2) == 0 {
				flush()
				cl.until = position
				c.handle(now, &relaypb.SubInbox{Body: &relaypb.SubInbox_Unwatch{Unwatch: &relaypb.Unwatch{
					Conn: uint64(subject.MakeConnID(cl.gw, 1)), Num: cl.num}}})
			}
		}
		if next := min(head, position+r.Uint64N(12)); next > position {
			c.follow(now, between(entries, position+1, next+1))
			position = next
		}
		if asked != nil && r.IntN(2) == 0 {
			f := asked
			asked = nil
			c.fetched(now, f, between(entries, uint64(f.from), min(uint64(f.from)+1+r.Uint64N(400), head+1)))
		}
		if r.IntN(2) == 0 {
			flush()
		}
	}
	flush()
	received, withheld := 0, 0
	for _, cl := range all {
		// What a client that went has got must be the beginning of it all, and as far
		// as the position was then if the client was live.
		want, least := less(cl.wanted(entries, head), cl.got, entries, now.Unix()), 0
		switch {
		case cl.until == 0 && !cl.confirmed:
			t.Errorf("client %d was never confirmed", cl.num)
		case cl.until == 0:
			least = len(want)
		case cl.confirmed:
			least = len(less(cl.wanted(entries, cl.until), cl.got, entries, now.Unix()))
		}
		if n := len(cl.got); n < least || n > len(want) || !slices.Equal(cl.got, want[:n]) {
			t.Errorf("client %d after %d until %d: %s", cl.num, cl.after, cl.until, difference(cl.got, want))
		}
		received += len(want)
		withheld += len(cl.wanted(entries, head)) - len(want)
	}
	t.Logf("%d deliveries, %d expired before", received, withheld)
	if received < 1000 || withheld < 100 {
		t.Errorf("%d deliveries, %d withheld: the test tests little", received, withheld)
	}

	for _, cl := range all {
		c.handle(now, &relaypb.SubInbox{Body: &relaypb.SubInbox_Unwatch{Unwatch: &relaypb.Unwatch{
			Conn: uint64(subject.MakeConnID(cl.gw, 1)), Num: cl.num}}})
	}
	c.flush(now)
	x := c.index
	if left := c.watches.table.count + x.filters.table.count + x.terms.table.count + c.memory() + len(c.waiting) + x.size + len(x.kinds) + int(x.rest.n); left != 0 {
		t.Errorf("something is left behind without any watch: %d", left)
	}
}

func watchOf(cl *client, num uint64) *relaypb.SubInbox {
	var text []byte
	for i := range cl.filters {
		if i > 0 {
			text = append(text, ',')
		}
		text = cl.filters[i].AppendJSON(text)
	}
	return &relaypb.SubInbox{Body: &relaypb.SubInbox_Watch{Watch: &relaypb.Watch{
		Conn: uint64(subject.MakeConnID(cl.gw, 1)), Num: num, After: cl.after, Filters: text, Keys: cl.keys}}}
}

// difference describes where two lists of Seqs part.
func difference(got, want []uint64) string {
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	return fmt.Sprintf("got %d events and want %d, different from %d on: %v, want %v",
		len(got), len(want), i, got[i:min(i+3, len(got))], want[i:min(i+3, len(want))])
}
