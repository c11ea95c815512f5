package monitor

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"rhea/proto/nostr"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// transcript drives a core by text. A shard is the last digit of a connection's
// counter; a name such as a* stands for 64 times its digit, and so does a key.
type transcript struct {
	core *core
	m    *metrics
	now  time.Time
	dead map[subject.Instance]bool
	asks []*fetch
}

func newTranscript(cfg Config) *transcript {
	tr := &transcript{m: newMetrics(stage.NewMetrics("monitor")), now: time.Unix(1000, 0), dead: map[subject.Instance]bool{}}
	shard := func(c subject.ConnID) subject.Shard { return subject.Shard(uint32(c) % 10) }
	tr.core = newCore(0x99, cfg, nostr.FilterLimits{}, policy.Policy{PrivateKinds: policy.Kinds{14, 1059, 21059}}, shard, tr.m)
	for sh := range subject.Shard(10) {
		tr.core.reshard(tr.now, []subject.Shard{sh}, nil)
	}
	return tr
}

var shorthand = regexp.MustCompile(`([0-9a-f])\*`)

func longhand(s string) string {
	return shorthand.ReplaceAllStringFunc(s, func(m string) string { return strings.Repeat(m[:1], 64) })
}

// keys reads a list of keys such as a+b.
func keys(s string) (list [][]byte) {
	for digit := range strings.SplitSeq(s, "+") {
		if pk, err := nostr.ParsePubKey(strings.Repeat(digit, 64)); err == nil {
			list = append(list, pk[:])
		}
	}
	return list
}

// entry reads "5 author=a* kind=1 #t=x": an event of Seq 5, whose id is
// its Seq; "5 removed" is a removal of 4, "5 broken" a header that is none. With
// removes=3 it removes another, and with asker=2 num=7 gateway 2 wants to know who
// has heard its event 7.
func entry(t *testing.T, line string) *relaypb.Entry {
	words := strings.Fields(longhand(line))
	seq, err := strconv.ParseUint(words[0], 10, 64)
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	if len(words) > 1 && words[1] == "removed" {
		return &relaypb.Entry{Seq: seq, Removed: []*relaypb.Removed{{Seq: seq - 1}}}
	}
	if len(words) > 1 && words[1] == "broken" {
		return &relaypb.Entry{Seq: seq, Header: []byte("no header")}
	}
	made := &relaypb.Entry{Seq: seq, Json: fmt.Appendf(nil, "event %d", seq)}
	e := &nostr.Event{Kind: 1, CreatedAt: int64(seq)}
	if e.ID, err = nostr.ParseEventID(fmt.Sprintf("%064x", seq)); err != nil {
		t.Fatal(err)
	}
	for _, word := range words[1:] {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "author":
			e.PubKey, err = nostr.ParsePubKey(value)
		case "kind":
			var k uint64
			k, err = strconv.ParseUint(value, 10, 16)
			e.Kind = nostr.Kind(k)
		case "removes":
			gone := new(relaypb.Removed)
			_, err = fmt.Sscan(value, &gone.Seq)
			made.Removed = append(made.Removed, gone)
		case "asker":
			_, err = fmt.Sscan(value, &made.Asker)
		case "num":
			_, err = fmt.Sscan(value, &made.Num)
		default:
			e.Tags = append(e.Tags, nostr.Tag{strings.TrimPrefix(key, "#"), value})
		}
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	}
	made.Header = nostr.AppendHeader(nil, e)
	return made
}

func (tr *transcript) run(t *testing.T, d *datadriven.TestData) string {
	var conn subject.ConnID
	number := func(key string) (n uint64) {
		if d.HasArg(key) {
			d.ScanArgs(t, key, &n)
		}
		return n
	}
	text := func(key string) (s string) {
		if d.HasArg(key) {
			d.ScanArgs(t, key, &s)
		}
		return s
	}
	conn = subject.MakeConnID(subject.Instance(number("gw")), uint32(number("conn")))
	switch d.Cmd {
	case "watch":
		tr.core.handle(tr.now, &relaypb.SubInbox{Body: &relaypb.SubInbox_Watch{Watch: &relaypb.Watch{
			Conn: uint64(conn), Num: number("num"), After: number("after"), Filters: []byte(longhand(d.Input)), Keys: keys(text("keys")),
		}}})
	case "unwatch":
		tr.core.handle(tr.now, &relaypb.SubInbox{Body: &relaypb.SubInbox_Unwatch{Unwatch: &relaypb.Unwatch{Conn: uint64(conn), Num: number("num"), Below: d.HasArg("below")}}})
	case "garbage":
		tr.core.handle(tr.now, &relaypb.SubInbox{})
	case "log", "fetched":
		e := &relaypb.Entries{Store: 1, From: number("from"), Next: number("next")}
		if d.HasArg("store") {
			e.Store = number("store")
		}
		for line := range strings.Lines(d.Input) {
			e.Entries = append(e.Entries, entry(t, line))
		}
		if d.Cmd == "log" {
			tr.core.follow(tr.now, e)
			break
		}
		tr.core.fetched(tr.now, tr.asks[0], e)
		tr.asks = tr.asks[1:]
	case "tick":
		tr.now = tr.now.Add(time.Duration(max(1, number("seconds"))) * time.Second)
		tr.core.tick(tr.now, func(i subject.Instance) bool { return !tr.dead[i] })
	case "die":
		tr.dead[subject.Instance(number("gw"))] = true
	case "revive":
		delete(tr.dead, subject.Instance(number("gw")))
	case "lose":
		tr.core.reshard(tr.now, nil, []subject.Shard{subject.Shard(number("shard"))})
	case "gain":
		tr.core.reshard(tr.now, []subject.Shard{subject.Shard(number("shard"))}, nil)
	case "set":
		cfg := tr.core.cfg
		cfg.MaxWatches, cfg.WindowEntries = int(number("max-watches")), int(number("window-entries"))
		var private policy.Kinds
		if err := private.UnmarshalText([]byte(strings.ReplaceAll(text("private"), "+", ","))); err != nil {
			t.Fatal(err)
		}
		tr.core.set(cfg, nostr.FilterLimits{MaxFilters: int(number("max-filters"))}, policy.Policy{PrivateKinds: private})
	case "state":
		return tr.state()
	default:
		t.Fatalf("no such command: %s", d.Cmd)
	}
	if d.HasArg("more") {
		return "" // what follows belongs to the same turn
	}
	return tr.flush()
}

func (tr *transcript) flush() string {
	var b strings.Builder
	out := tr.core.flush(tr.now)
	slices.SortStableFunc(out.deliveries, func(a, b delivery) int { return cmp.Compare(a.to, b.to) })
	for _, d := range out.deliveries {
		fmt.Fprintf(&b, "gateway %d: number %d upto %d", d.to, d.msg.Number, d.msg.Upto)
		for _, e := range d.msg.Events {
			fmt.Fprintf(&b, ", %s to %v", e.Json, e.Nums)
		}
		if len(d.msg.Watching) > 0 {
			fmt.Fprintf(&b, ", watching %v", d.msg.Watching)
		}
		for _, e := range d.msg.Ended {
			fmt.Fprintf(&b, ", ended %d %q", e.Num, e.Text)
		}
		b.WriteByte('\n')
	}
	for _, h := range out.heard {
		fmt.Fprintf(&b, "gateway %d: heard %d: %d watches\n", h.to, h.msg.Num, h.msg.Watches)
	}
	if out.fetch != nil {
		tr.asks = append(tr.asks, out.fetch)
		fmt.Fprintf(&b, "fetch from %d\n", out.fetch.from)
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

func (tr *transcript) state() string {
	c := tr.core
	return fmt.Sprintf("window %d to %d, %d commits; %d watches (%d waiting), %d filters (%d postings), %d gateways; garbage %d, refused %d, restarts %d, stale fetches %d\n",
		c.window.start, c.window.next, c.window.len(), c.watches.table.count, len(c.waiting), c.index.filters.table.count, c.index.size, len(c.gateways),
		tr.m.garbage.Value(), tr.m.refused.Value(), tr.m.restarts.Value(), tr.m.staleFetches.Value())
}

// The transcripts of testdata: every file begins with a new core.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		cfg := Config{WindowBytes: 1 << 20, WindowEntries: 4, MaxWatches: 5, MaxFilterBytes: 1 << 20}
		tr := newTranscript(cfg)
		datadriven.RunTest(t, path, tr.run)
	})
}
