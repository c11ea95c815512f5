package status

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

func member(stage subject.Stage, instance uint32, change func(*relaypb.Member)) *relaypb.Member {
	m := &relaypb.Member{
		Stage: string(stage), Instance: instance, Host: "box", Pid: int32(100 + instance), Version: "v1",
		Started: time.Unix(1000, 0).UnixMilli(), Shards: 4, Stats: map[string]float64{},
	}
	change(m)
	return m
}

func all(m *relaypb.Member) { m.Owned = []uint32{0, 1, 2, 3} }

// The table of a relay in trouble, as an operator reads it.
func TestTable(t *testing.T) {
	c := newCollector()
	now := time.Unix(1000, 0).Add(3*time.Hour + 125*time.Second)
	hear := func(m *relaypb.Member) { c.hear(m, now) }
	hear(member(subject.Writer, 1, func(m *relaypb.Member) {
		m.Seq, m.Store = 1200, 0xabc
		m.Stats = map[string]float64{"received": 10_000, "commits": 50}
	}))
	hear(member(subject.Ingester, 2, func(m *relaypb.Member) { m.Owned, m.Leaving = []uint32{0, 1, 3}, true }))
	hear(member(subject.Monitor, 3, func(m *relaypb.Member) { all(m); m.Seq, m.Stats["watches"] = 1190, 25_300 }))
	hear(member(subject.Negentropy, 4, all))
	hear(member(subject.Gateway, 5, func(m *relaypb.Member) { m.Stats["bus_dropped"], m.Version = 7, "v2" }))
	hear(member(subject.Gateway, 6, func(*relaypb.Member) {}))
	hear(member(subject.Gateway, 6, func(m *relaypb.Member) { m.Gone = true }))
	now = now.Add(time.Second)
	hear(member(subject.Writer, 1, func(m *relaypb.Member) {
		m.Seq, m.Store = 1201, 0xabc
		m.Stats = map[string]float64{"received": 12_500, "commits": 50.4}
	}))

	var b strings.Builder
	if err := c.report(4, now).Write(&b); err != nil {
		t.Fatal(err)
	}
	want := `5 processes · 4 shards · seq 1201 · version v1, v2

STAGE       INSTANCE  PID  HOST  UP    SHARDS  SEQ   LAG  VERSION  WORK
writer      00000001  101  box   3h2m  -       1201  -    v1       2500 events in/s, 0.4 commits/s, 0 scan slices/s, 0 commits waiting
monitor     00000003  103  box   3h2m  0-3     1190  11   v1       25.3k watches, 0 events matched/s, 0 recipients/s, 0 waiting
ingester    00000002  102  box   3h2m  0-1, 3  -     -    v1       leaving, 0 events in/s, 0 admitted/s, 0 waiting
negentropy  00000004  104  box   3h2m  0-3     -     -    v1       0 sessions, 0 messages/s
gateway     00000005  105  box   3h2m  -       -     -    v2       0 connections, 0 subscriptions, 0 events in/s, 0 stored out/s, 0 live out/s

warning: there is no reqworker
warning: ingester: nobody listens on shards 2
warning: gateway 00000005: 7 bus messages found its inbox full and were dropped
`
	if b.String() != want {
		t.Fatalf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// Rates come from announcements that lie apart, silence is death, and the JSON
// has no nulls where a machine expects lists.
func TestCollector(t *testing.T) {
	c := newCollector()
	now := time.Unix(2000, 0)
	for i := range 9 { // every half second, 30 more each
		c.hear(member(subject.Ingester, 1, func(m *relaypb.Member) { m.Stats["received"] = float64(30 * i) }), now)
		now = now.Add(500 * time.Millisecond)
	}
	r := c.report(4, now)
	if got := r.Processes[0].Rates["received"]; got != 60 {
		t.Fatalf("%g a second, want 60", got)
	}
	if n := len(c.processes[1].since); n > 3 {
		t.Fatalf("%d announcements are kept", n)
	}
	text, err := json.Marshal(r)
	if err != nil || strings.Contains(string(text), "null") {
		t.Fatal(string(text), err)
	}
	c.bury(now.Add(2 * time.Second))
	if len(c.processes) != 1 {
		t.Fatal("buried alive")
	}
	c.bury(now.Add(2*time.Second + 1))
	if len(c.processes) != 0 {
		t.Fatal("a dead process is shown")
	}
}

// Announcements that make no sense leave nothing behind.
func TestForeign(t *testing.T) {
	c := newCollector()
	now := time.Unix(2000, 0)
	c.hear(member("nonsense", 1, all), now)
	c.hear(member(subject.Writer, 0, all), now)
	c.hear(member(subject.Writer, 2, func(m *relaypb.Member) { m.Shards = 1 << 31 }), now)
	c.hear(member(subject.Writer, 3, func(m *relaypb.Member) { m.Shards = 0 }), now)
	for i := range uint32(2 * maxProcesses) {
		c.hear(member(subject.Gateway, 10+i, all), now)
	}
	if n := len(c.report(4, now).Processes); n != maxProcesses {
		t.Fatalf("%d processes", n)
	}
}

func TestRanges(t *testing.T) {
	for _, c := range []struct {
		list []uint32
		want string
	}{{nil, ""}, {[]uint32{3}, "3"}, {[]uint32{0, 1, 2}, "0-2"}, {[]uint32{0, 2, 3, 7}, "0, 2-3, 7"}} {
		if got := ranges(c.list); got != c.want {
			t.Errorf("%v: %q, want %q", c.list, got, c.want)
		}
	}
}

// A watch hears everybody, those included that come while it runs.
func TestWatch(t *testing.T) {
	space, err := subject.New("test", 4)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		m := bus.NewMemory()
		log := slog.New(slog.DiscardHandler)
		ctx, cancel := context.WithCancel(t.Context())
		start := func(stage subject.Stage) {
			r := bus.NewRoster(m.Join(space, log), stage, "", nil)
			go r.Run(ctx)
		}
		start(subject.Gateway)
		var seen []int
		err := Watch(ctx, m.Join(space, log), time.Second, func(r Report) bool {
			seen = append(seen, len(r.Processes))
			if len(seen) == 1 {
				start(subject.Writer)
			}
			return len(seen) < 2
		})
		if err != nil || len(seen) != 2 || seen[0] != 1 || seen[1] != 2 {
			t.Fatal(seen, err)
		}
		cancel()
		if err := Watch(ctx, m.Join(space, log), time.Second, nil); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	})
}
