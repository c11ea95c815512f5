package monitor

import (
	"fmt"
	"testing"
	"time"

	"rhea/proto/limits"
	"rhea/proto/nostr"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// A great many watches that come at once are served a part at a time, each once.
func TestSettleInParts(t *testing.T) {
	cfg := DefaultConfig()
	c := newCore(1, cfg, nostr.FilterLimits{MaxFilters: limits.Default().MaxFilters}, policy.Default(), func(subject.ConnID) subject.Shard { return 0 }, newMetrics(stage.NewMetrics("monitor")))
	now := time.Unix(1000, 0)
	const commits, watches = 1000, 1000
	var log relaypb.Entries
	log.Store, log.From, log.Next = 1, 1, commits+1
	for i := range uint64(commits) {
		e := &nostr.Event{Kind: 1, CreatedAt: int64(i)}
		log.Entries = append(log.Entries, &relaypb.Entry{Seq: i + 1, Header: nostr.AppendHeader(nil, e), Json: []byte("{}")})
	}
	c.follow(time.Unix(0, 0), &relaypb.Entries{Store: 1, From: 1, Next: 1})
	c.follow(time.Unix(0, 0), &log)
	for i := range uint64(watches) {
		c.handle(now, &relaypb.SubInbox{Body: &relaypb.SubInbox_Watch{Watch: &relaypb.Watch{
			Conn: uint64(subject.MakeConnID(9, uint32(i))), Num: i + 1, Filters: fmt.Appendf(nil, `{"kinds":[%d]}`, i%2)}}})
	}
	parts, received, watching := 0, map[uint64]int{}, map[uint64]int{}
	for more := true; more; parts++ {
		out := c.flush(time.Unix(0, 0))
		for _, d := range out.deliveries {
			for _, e := range d.msg.Events {
				for _, num := range e.Nums {
					received[num]++
				}
			}
			for _, num := range d.msg.Watching {
				watching[num]++
			}
		}
		if more = out.more; out.fetch != nil {
			t.Fatalf("part %d fetches from %d what the window has", parts, out.fetch.from)
		}
	}
	if parts < 2 {
		t.Error("it was done in one part")
	}
	for num := uint64(1); num <= watches; num++ {
		want := commits * int((num-1)%2)
		if received[num] != want || watching[num] != 1 {
			t.Fatalf("watch %d received %d of %d and was confirmed %d times", num, received[num], want, watching[num])
		}
	}
}

// Who hears an event is not looked up without end among watches that wait.
func TestHearingIsBounded(t *testing.T) {
	c := newCore(1, DefaultConfig(), nostr.FilterLimits{}, policy.Policy{}, func(subject.ConnID) subject.Shard { return 0 }, newMetrics(stage.NewMetrics("monitor")))
	now := time.Unix(1000, 0)
	c.follow(now, &relaypb.Entries{Store: 1, From: 100, Next: 100})
	const watches = 1000
	for num := range uint64(watches) { // they wait for a range
		c.handle(now, &relaypb.SubInbox{Body: &relaypb.SubInbox_Watch{Watch: &relaypb.Watch{
			Conn: 1 << 32, Num: num + 1, Filters: []byte(`{"kinds":[20001]}`)}}})
	}
	commits := func(from, n uint64) {
		batch := &relaypb.Entries{Store: 1, From: from, Next: from + n}
		for i := range n {
			e := &nostr.Event{Kind: 20002}
			batch.Entries = append(batch.Entries, &relaypb.Entry{Seq: from + i, Header: nostr.AppendHeader(nil, e), Asker: 5, Num: i + 1})
		}
		c.follow(now, batch)
	}
	const most = settleTries / watches
	commits(100, most+50)
	if n := len(c.flush(now).heard); n != most {
		t.Errorf("%d commits were answered for, want %d", n, most)
	}
	commits(100+most+50, 1)
	if out := c.flush(now); len(out.heard) != 1 || out.heard[0].msg.Watches != 0 {
		t.Errorf("in the next turn: %v", out.heard)
	}
}
