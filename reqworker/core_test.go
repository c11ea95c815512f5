package reqworker

import (
	"context"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/nostr"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// transcript drives a core by text. A shard is the last digit of a connection's
// counter; slices that the core asks for are answered by their number. A key is a
// digit, which a filter can name as a*: it stands 64 times.
type transcript struct {
	core *core
	m    *metrics
	now  time.Time
	dead map[subject.Instance]bool
	asks []ask
}

func newTranscript() *transcript {
	tr := &transcript{m: newMetrics(stage.NewMetrics("reqworker")), now: time.Unix(1000, 0), dead: map[subject.Instance]bool{}}
	cfg := Config{Concurrency: 2, SliceBytes: 1000, MaxQueries: 6, MaxQueriesPerConn: 3, MaxFilterBytes: 1 << 10}
	lim := limits.Default()
	lim.MaxFilters, lim.MaxFilterValues, lim.MaxLimit, lim.DefaultLimit = 3, 5, 100, 10
	tr.core = newCore(7, cfg, lim, policy.Policy{PrivateKinds: policy.Kinds{14, 1059}}, func(c subject.ConnID) subject.Shard { return subject.Shard(uint32(c) % 10) }, tr.m)
	return tr
}

var shorthand = regexp.MustCompile(`([0-9a-f])\*`)

func longhand(s string) string {
	return shorthand.ReplaceAllStringFunc(s, func(m string) string { return strings.Repeat(m[:1], 64) })
}

// keys reads a list of keys such as a+b.
func keys(s string) (list [][]byte) {
	for digit := range strings.SplitSeq(s, "+") {
		if b, err := hex.DecodeString(strings.Repeat(digit, 64)); err == nil && len(b) == 32 {
			list = append(list, b)
		}
	}
	return list
}

func (tr *transcript) run(t *testing.T, d *datadriven.TestData) string {
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
	conn := uint64(subject.MakeConnID(subject.Instance(max(1, number("gw"))), uint32(max(1, number("conn")))))
	switch d.Cmd {
	case "query":
		tr.core.handle(tr.now, &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Query{Query: &relaypb.Query{
			Conn: conn, Num: number("num"), Granted: number("granted"), Cursor: []byte(text("cursor")), AsOf: number("as-of"),
			Filters: []byte(longhand(d.Input)), Keys: keys(text("keys")), Count: d.HasArg("count"),
		}}})
	case "credit":
		worker := uint32(7)
		if d.HasArg("worker") {
			worker = uint32(number("worker"))
		}
		tr.core.handle(tr.now, &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Credit{Credit: &relaypb.Credit{
			Conn: conn, Num: number("num"), Worker: worker, Granted: number("granted"),
		}}})
	case "stop":
		tr.core.handle(tr.now, &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Stop{Stop: &relaypb.Stop{Conn: conn, Num: number("num")}}})
	case "garbage":
		tr.core.handle(tr.now, &relaypb.ReqInbox{})
	case "slice": // the answer to the oldest slice asked for: lines are events' lengths
		reply := &relaypb.ScanReply{
			AsOf: number("as-of"), Cursor: []byte(text("cursor")), Done: d.HasArg("done"), Count: number("count"),
			Completeness: relaypb.Completeness(relaypb.Completeness_value[strings.ToUpper(text("answer"))]),
		}
		if d.HasArg("registers") { // of each, as 17:3
			reply.Hll = make([]byte, len(nostr.Registers{}))
			for item := range strings.SplitSeq(text("registers"), "+") {
				var at, value int
				if _, err := fmt.Sscanf(item, "%d:%d", &at, &value); err == nil {
					reply.Hll[at] = byte(value)
				}
			}
		}
		for line := range strings.Lines(d.Input) {
			var n int
			if _, err := fmt.Sscan(line, &n); err != nil {
				reply.Error = strings.TrimSpace(line)
				break
			}
			reply.Events = append(reply.Events, make([]byte, n))
		}
		if d.HasArg("sent") { // straight to the gateway
			reply.Sent = &relaypb.Sent{Events: 2, Bytes: number("sent")}
		}
		var err error
		if d.HasArg("lost") {
			reply, err = nil, fmt.Errorf("no answer: %w", bus.ErrNobody)
		}
		if d.HasArg("late") {
			reply, err = nil, context.DeadlineExceeded
		}
		if len(tr.asks) == 0 {
			return "no slice was asked for\n"
		}
		a := tr.asks[0]
		tr.asks = tr.asks[1:]
		tr.core.read(tr.now, a.query, reply, err)
	case "set":
		cfg, lim := tr.core.cfg, limits.Default()
		cfg.MaxQueries, cfg.SliceBytes = int(number("max-queries")), stage.ByteSize(number("slice-bytes"))
		lim.MaxFilters, lim.MaxLimit, lim.DefaultLimit = int(number("max-filters")), int(number("max-limit")), int(number("default-limit"))
		tr.core.set(cfg, lim, policy.Policy{PrivateKinds: policy.Kinds{nostr.Kind(number("private"))}})
	case "wait":
		tr.now = tr.now.Add(time.Duration(number("ms")) * time.Millisecond)
	case "tick":
		tr.now = tr.now.Add(time.Duration(max(1, number("seconds"))) * time.Second)
		tr.core.tick(tr.now, func(i subject.Instance) bool { return !tr.dead[i] })
	case "die":
		tr.dead[subject.Instance(number("gw"))] = true
	case "lose":
		tr.core.lose([]subject.Shard{subject.Shard(number("shard"))})
	case "state":
		c := tr.core
		return fmt.Sprintf("%d queries of %d connections: %d ready, %d reading, %d paused, %d resting; %d slices under way; %d bytes of filters; dropped %d, closed %d, garbage %d\n",
			len(c.queries), len(c.perConn), c.count[ready], c.count[reading], c.count[paused], c.count[resting], c.reading, c.filterBytes,
			tr.m.dropped.Value(), tr.m.closed.Value(), tr.m.garbage.Value())
	default:
		t.Fatalf("no such command: %s", d.Cmd)
	}
	return tr.flush()
}

func (tr *transcript) flush() string {
	var b strings.Builder
	tr.core.rouse(tr.now)
	next := tr.core.rests()
	out := tr.core.flush()
	for _, a := range out.answers {
		if p := a.msg.GetPart(); p != nil {
			fmt.Fprintf(&b, "gateway %d: part %d of %d:", a.to, p.Index, p.Num)
			size := 0
			for _, e := range p.Events {
				size += len(e)
			}
			fmt.Fprintf(&b, " %d events (%d bytes), as of %d", len(p.Events), size, p.AsOf)
			if len(p.Cursor) > 0 {
				fmt.Fprintf(&b, ", cursor %s", p.Cursor)
			}
			if p.Eose {
				b.WriteString(", eose")
				if p.ById {
					b.WriteString(" by id")
				}
			}
			if p.Completeness != relaypb.Completeness_UNKNOWN {
				fmt.Fprintf(&b, " (%s)", strings.ToLower(p.Completeness.String()))
			}
			b.WriteByte('\n')
		} else if n := a.msg.GetCounted(); n != nil {
			fmt.Fprintf(&b, "gateway %d: counted %d: %d", a.to, n.Num, n.Count)
			if len(n.Hll) > 0 {
				fmt.Fprintf(&b, ", registers")
			}
			for at, value := range n.Hll {
				if value > 0 {
					fmt.Fprintf(&b, " %d:%d", at, value)
				}
			}
			b.WriteByte('\n')
		} else {
			fmt.Fprintf(&b, "gateway %d: closed %d: %s\n", a.to, a.msg.GetClosed().Num, a.msg.GetClosed().Text)
		}
	}
	for _, a := range out.asks {
		tr.asks = append(tr.asks, a)
		what := "scan"
		if a.scan.Want == relaypb.Want_COUNT {
			what = "count"
		}
		fmt.Fprintf(&b, "%s for %d: %s", what, a.query.num, a.scan.Filters)
		if len(a.scan.Cursor) > 0 {
			fmt.Fprintf(&b, " from %s as of %d", a.scan.Cursor, a.scan.AsOf)
		}
		fmt.Fprintf(&b, ", %d bytes", a.scan.MaxBytes)
		if len(a.scan.Capped) > 0 {
			fmt.Fprintf(&b, ", capped %d", a.scan.Capped)
		}
		if len(a.scan.Keys) > 0 {
			fmt.Fprintf(&b, ", for %.1x", a.scan.Keys)
		}
		if to := a.scan.Direct; to != nil {
			fmt.Fprintf(&b, ", as part %d of %d to gateway %d", to.Index, to.Num, to.Gateway)
			if to.ById {
				b.WriteString(" by id")
			}
			if to.Blind {
				b.WriteString(" blind")
			}
		}
		if a.scan.HllOffset > 0 {
			fmt.Fprintf(&b, ", registers by byte %d", a.scan.HllOffset)
		}
		b.WriteByte('\n')
	}
	if !next.IsZero() {
		fmt.Fprintf(&b, "rests for %s\n", next.Sub(tr.now))
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

// The transcripts of testdata: every file begins with a new core.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, newTranscript().run)
	})
}
