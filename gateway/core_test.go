package gateway

import (
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unique"

	"github.com/cockroachdb/datadriven"
	"github.com/gobwas/ws"
	"google.golang.org/protobuf/proto"

	"rhea/proto/frame"
	"rhea/proto/limits"
	"rhea/proto/nostr"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// TestCore runs the transcripts in testdata/core: what clients and the bus say,
// and what the gateway says to them. There is one shard, so questions are
// numbered 1, 2, 3, …
//
//	roster ingester=a1 reqworker=b1 monitor=c1 negentropy=d1 writer=e1 store=1 gateways=1 seq=0
//	connect a
//	say a                   (frames, one a line)
//	stall a / unstall a     the client takes nothing / takes what waits
//	block a / unblock a     its reader waits for room in the windows / goes on
//	speaks a                something comes from it
//	disconnect a
//	verdict num= id= outcome= text= key=
//	part num= worker= index= ids=(1,2) size= as-of= cursor= eose all=
//	closed num= worker= text=
//	deliver monitor= number= upto= events=(seq:num+num,…) watching=(…) ended=(…) text=
//	neg num= turn= message= error= records=
//	counted num= worker= count= hll
//	heard num= monitor= watches=
//	policy auth= mute close-by-id plugins   connect, needed or required; needed at first
//	reconnect               the bus was away
//	tick 2s                 time passes, a tenth of a second after the other
//	leave 10s               the gateway stops while others stay
//	stopped a               nothing more is read of a client; see socket.hush
//	drain, then farewell    the gateway stops
//	window                  what is claimed of the windows
//	alarms                  those that are set for sessions
//	limits …                see command
func TestCore(t *testing.T) {
	datadriven.Walk(t, "testdata/core", func(t *testing.T, path string) {
		b := newBench(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			b.t = t
			b.command(d)
			return b.output()
		})
	})
}

// bench holds a core, its clients and what it has sent.
type bench struct {
	t       *testing.T
	core    *core
	config  Config
	limits  limits.Limits
	policy  policy.Policy
	now     time.Time
	conns   map[string]*conn
	stalled map[string]bool
	sent    []string
	dialed  uint32
}

func newBench(t *testing.T) *bench {
	space, err := subject.New("rhea", 1)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, config: DefaultConfig(), limits: limits.Default(), policy: policy.Policy{Auth: policy.AuthNeeded}, now: time.Unix(1_700_000_000, 0),
		conns: make(map[string]*conn), stalled: make(map[string]bool)}
	b.config.PingInterval = time.Hour
	h := newHub(newMetrics(stage.NewMetrics("gateway")), slog.New(slog.DiscardHandler), limitsOfSockets(&b.config, &b.limits))
	b.core = newCore(space, 0x6a, rules{config: &b.config, limits: &b.limits, policy: &b.policy}, b, h, b.now)
	return b
}

// Send records what the core sends to the bus.
func (b *bench) Send(subj string, m proto.Message) error {
	b.sent = append(b.sent, strings.TrimPrefix(subj, "rhea.v1.")+" ← "+describe(m))
	return nil
}

func (b *bench) command(d *datadriven.TestData) {
	name := ""
	if len(d.CmdArgs) > 0 {
		name = d.CmdArgs[0].Key
	}
	cn := b.conns[name]
	switch d.Cmd {
	case "roster":
		b.core.HandleRoster(parseView(d))
	case "connect":
		b.dial(name)
	case "say":
		for line := range strings.Lines(d.Input) {
			b.say(cn, strings.TrimSpace(line))
		}
	case "speaks":
		cn.heard = b.core.hub.tick
	case "stall":
		b.stalled[name] = true
	case "unstall":
		b.stalled[name] = false
		b.sent = append(b.sent, b.take(name, cn)...)
		b.core.fund(cn)
	case "disconnect":
		b.core.forget(cn)
		delete(b.conns, name)
	case "tick":
		pass, err := time.ParseDuration(name)
		if err != nil {
			d.Fatalf(b.t, "%v", err)
		}
		for end := b.now.Add(pass); b.now.Before(end); {
			b.now = b.now.Add(tickEvery)
			b.core.Tick(b.now)
			b.listen()
			b.stops()
		}
	case "limits":
		d.MaybeScanArgs(b.t, "subscriptions", &b.limits.MaxSubscriptions)
		d.MaybeScanArgs(b.t, "negotiations", &b.config.MaxNegotiations)
		size := 0
		if d.MaybeScanArgs(b.t, "subscribe-size", &size); size > 0 {
			b.config.MaxSubscribeSize = stage.ByteSize(size)
		}
		d.MaybeScanArgs(b.t, "watching", &b.core.watching.Limit)
		ping := ""
		if d.MaybeScanArgs(b.t, "ping", &ping); ping != "" {
			b.config.PingInterval, _ = time.ParseDuration(ping)
		}
	case "policy":
		d.MaybeScanArgs(b.t, "auth", (*string)(&b.policy.Auth))
		b.policy.Mute, b.policy.CloseByID = d.HasArg("mute"), d.HasArg("close-by-id")
		b.policy.WritePlugin, b.policy.ReadPlugin = "", ""
		if d.HasArg("plugins") {
			b.policy.WritePlugin, b.policy.ReadPlugin = "w", "r"
		}
	case "reload": // as when the file has changed
		limits, rules := b.limits, b.policy
		limits.MaxSubscriptions, rules.Auth = 3, policy.Auth(name)
		b.core.SetRules(&b.config, &limits, &rules)
	case "block":
		b.blocked(cn, true)
	case "unblock":
		b.blocked(cn, false)
	case "window":
		b.sent = append(b.sent, fmt.Sprintf("%d bytes, %d claims", b.core.hub.windows.whole.Used(), len(b.core.claims)))
	case "alarms":
		for a := range b.core.alarms.all() {
			if a.about == aboutSession {
				b.sent = append(b.sent, fmt.Sprintf("session %d", a.num))
			}
		}
	case "reconnect":
		b.core.Reconnected()
	case "leave":
		over, err := time.ParseDuration(name)
		if err != nil {
			d.Fatalf(b.t, "%v", err)
		}
		b.config.LeaveOver = over
		b.core.Leave()
		b.stops()
	case "stopped":
		cn.stopped = true
	case "drain":
		b.core.Drain()
	case "farewell":
		b.core.Farewell()
	default:
		b.core.Handle(parseAnswer(b.t, d))
		if !d.HasArg("fresh") { // nothing is closed for freshTime
			b.core.WatchFresh()
		}
	}
}

// stops notes who has just been read for the last time.
func (b *bench) stops() {
	for _, name := range slices.Sorted(maps.Keys(b.conns)) {
		if cn := b.conns[name]; !cn.left().IsZero() && cn.left().Equal(b.core.now) {
			b.sent = append(b.sent, fmt.Sprintf("%s is read no further", name))
		}
	}
}

// dial opens a connection.
func (b *bench) dial(name string) *conn {
	b.dialed++
	cn := &conn{id: subject.MakeConnID(0x6a, b.dialed), host: unique.Make("relay.example.org"), from: netip.MustParseAddr("192.0.2.7")}
	cn.heard = b.core.hub.tick
	b.conns[name] = cn
	b.core.Open(cn, nil)
	return cn
}

func (b *bench) say(cn *conn, text string) { sayAtOnce(b.core, cn, text) }

// sayAtOnce has a client say a message that waits for nothing, not even for an AUTH.
func sayAtOnce(c *core, cn *conn, text string) {
	m, err := frame.ParseClient([]byte(text))
	s := said{client: m, err: err, taken: weigh(m, err)}
	if s.taken > 0 {
		s.taken += len(cn.keys()) * len(nostr.PubKey{})
		c.hub.windows.take(cn, s.taken)
	}
	c.hear(cn, s)
}

// blocked has a client's reader wait for room in the windows, or go on as one does
// that found some.
func (b *bench) blocked(cn *conn, blocks bool) {
	cn.share.wants = 0
	if blocks {
		cn.share.wants = 1
	} else {
		cn.heard = b.core.hub.tick
	}
}

// output renders what has been sent and said since the last command.
func (b *bench) output() string {
	b.listen()
	out := strings.Join(b.sent, "\n")
	b.sent = nil
	return out
}

// listen has the clients that are not stalled read what waits.
func (b *bench) listen() {
	for _, name := range slices.Sorted(maps.Keys(b.conns)) {
		if !b.stalled[name] {
			b.sent = append(b.sent, b.take(name, b.conns[name])...)
		}
	}
}

// take reads what waits for a client.
func (b *bench) take(name string, cn *conn) (out []string) {
	buf := unsent(b.core, cn)
	for len(buf) > 0 {
		h, err := ws.ReadHeader(strings.NewReader(string(buf)))
		if err != nil {
			b.t.Fatal(err)
		}
		n := ws.HeaderSize(h)
		payload := string(buf[n : n+int(h.Length)])
		buf = buf[n+int(h.Length):]
		switch h.OpCode {
		case ws.OpText:
			out = append(out, name+" hears "+shorten(payload))
		case ws.OpClose:
			code, why := ws.ParseCloseFrameData([]byte(payload))
			out = append(out, fmt.Sprintf("%s hears close %d %s", name, code, why))
		default:
			out = append(out, name+" hears ping")
		}
	}
	if cn.state == dead {
		out = append(out, name+" is cut")
		delete(b.conns, name)
	}
	return out
}

// unsent takes what waits for a client that has no wire.
func unsent(c *core, cn *conn) (buf []byte) {
	c.Flush()
	if cn.out != nil {
		buf, cn.out = cn.out.buf, nil
	}
	return buf
}

// shorten replaces the padding of large events.
func shorten(s string) string {
	i := strings.Index(s, "~~~~")
	if i < 0 {
		return s
	}
	j := strings.LastIndex(s, "~") + 1
	return fmt.Sprintf("%s(%d~)%s", s[:i], j-i, s[j:])
}

type testView struct {
	owners  map[subject.Stage]subject.Instance
	members map[subject.Stage][]*relaypb.Member
}

func (v testView) Owner(st subject.Stage, _ subject.Shard) subject.Instance { return v.owners[st] }
func (v testView) Members(st subject.Stage) []*relaypb.Member               { return v.members[st] }

func parseView(d *datadriven.TestData) testView {
	v := testView{make(map[subject.Stage]subject.Instance), make(map[subject.Stage][]*relaypb.Member)}
	store, seq := uint64(0), uint64(0)
	for _, a := range d.CmdArgs {
		n, _ := strconv.ParseUint(a.Vals[0], 16, 32)
		switch a.Key {
		case "store":
			store = n
		case "seq":
			seq = n
		case "gateways":
			for i := range n {
				v.members[subject.Gateway] = append(v.members[subject.Gateway], &relaypb.Member{Instance: uint32(i + 1)})
			}
		default:
			v.owners[subject.Stage(a.Key)] = subject.Instance(n)
			v.members[subject.Stage(a.Key)] = []*relaypb.Member{{Instance: uint32(n)}}
		}
	}
	for _, list := range v.members {
		for _, m := range list {
			m.Store, m.Seq = store, seq
		}
	}
	return v
}
