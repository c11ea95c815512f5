package monitor

import (
	"bytes"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

func benchCore(cfg Config) *core {
	shard := func(subject.ConnID) subject.Shard { return 0 }
	c := newCore(7, cfg, nostr.FilterLimits{}, policy.Default(), shard, newMetrics(stage.NewMetrics("monitor")))
	c.reshard(time.Unix(0, 0), []subject.Shard{0}, nil)
	c.follow(time.Unix(0, 0), &relaypb.Entries{Store: 1, From: 1, Next: 1})
	return c
}

// Much for one gateway is cut into pieces that the bus carries: each recipient
// gets each event once, and only the last piece tells the position.
func TestPieces(t *testing.T) {
	const watches = 30_000
	c := benchCore(DefaultConfig())
	for num := range uint64(watches) {
		m := watchOf(&client{gw: 1, filters: []nostr.Filter{nostr.All()}}, 1<<28+num)
		c.handle(time.Unix(0, 0), m)
	}
	confirmed := 0
	number := uint64(0)
	check := func(out outputs, position uint64) {
		for i, d := range out.deliveries {
			number++
			size := proto.Size(&relaypb.OutInbox{Body: &relaypb.OutInbox_Deliveries{Deliveries: d.msg}})
			if size > bus.MaxMessage || size > bus.MaxBatch && len(d.msg.Events) != 1 || d.msg.Number != number {
				t.Errorf("number %d, where %d is next: %d events in %d bytes", d.msg.Number, number, len(d.msg.Events), size)
			}
			if last := i == len(out.deliveries)-1; last && d.msg.Upto != position || !last && d.msg.Upto >= max(position, 1) {
				t.Errorf("piece %d of %d is up to %d", i, len(out.deliveries), d.msg.Upto)
			}
			confirmed += len(d.msg.Watching)
		}
	}
	out := c.flush(time.Unix(0, 0))
	check(out, 0)
	if confirmed != watches || len(out.deliveries) < 3 {
		t.Errorf("%d watches confirmed in %d pieces", confirmed, len(out.deliveries))
	}

	batch := &relaypb.Entries{Store: 1, From: 1, Next: 4}
	for seq := uint64(1); seq < 4; seq++ {
		e := &nostr.Event{Kind: 1, CreatedAt: int64(seq)}
		batch.Entries = append(batch.Entries, &relaypb.Entry{Seq: seq, Header: nostr.AppendHeader(nil, e), Json: bytes.Repeat([]byte("x"), []int{100, 500 << 10, 40 << 10}[seq-1])})
	}
	c.follow(time.Unix(0, 0), batch)
	out = c.flush(time.Unix(0, 0))
	check(out, 3)
	got := make(map[[2]uint64]int)
	for _, d := range out.deliveries {
		for _, e := range d.msg.Events {
			for _, num := range e.Nums {
				got[[2]uint64{e.Seq, num}]++
			}
		}
	}
	for key, n := range got {
		if n != 1 {
			t.Fatalf("%v delivered %d times", key, n)
		}
	}
	if len(got) != 3*watches {
		t.Errorf("%d deliveries, want %d", len(got), 3*watches)
	}
}

// What is live says when it was on disk, the earliest of it; what a subscription is
// caught up with says nothing, since its age is not ours.
func TestCommittedTime(t *testing.T) {
	c := benchCore(DefaultConfig())
	now := time.Unix(0, 0)
	entry := func(seq, committed uint64) *relaypb.Entries {
		h := nostr.AppendHeader(nil, &nostr.Event{Kind: 1, CreatedAt: int64(seq)})
		return &relaypb.Entries{Store: 1, From: seq, Next: seq + 1, Committed: committed,
			Entries: []*relaypb.Entry{{Seq: seq, Header: h, Json: []byte("{}")}}}
	}
	says := func(when string, events int, want uint64) {
		t.Helper()
		out := c.flush(now).deliveries
		if len(out) != 1 || len(out[0].msg.Events) != events || out[0].msg.Committed != want {
			t.Errorf("%s: %v, want %d events, committed at %d", when, out, events, want)
		}
	}
	c.follow(now, entry(1, 5))
	c.handle(now, watchOf(&client{gw: 1, filters: []nostr.Filter{nostr.All()}}, 1))
	says("caught up from the window", 1, 0)
	c.follow(now, entry(2, 8))
	c.follow(now, entry(3, 7))
	says("live", 2, 7)
	c.follow(now, entry(4, 0))
	says("fetched after a loss", 1, 0)
}
