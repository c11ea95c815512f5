package gateway

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"google.golang.org/protobuf/proto"

	"rhea/proto/frame"
	"rhea/proto/limits"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// TestLossAndDeath runs a core with simulated time among processes that die and
// are replaced, on a bus that loses messages in both directions, and sometimes all
// that is under way. Clients publish,
// subscribe, close, stall. The oracle is what every subscription must hear: the
// stored events k, k-1, …, 1, then EOSE, then k+1, k+2, … without a hole or a
// repetition, up to the last; and for every EVENT exactly one OK.
func TestLossAndDeath(t *testing.T) {
	for round := range 5 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Logf("seed %d", seed)
			s := newSim(t, seed)
			for range 400 { // 40 seconds of trouble
				s.trouble()
				s.step()
			}
			s.loss = 0
			for _, c := range s.clients {
				c.stalled = 0
			}
			for range 400 { // and more than every time-out of peace
				s.step()
			}
			s.verify()
		})
	}
}

type sim struct {
	t       *testing.T
	rng     *rand.Rand
	core    *core
	now     time.Time
	loss    float64
	inst    subject.Instance
	log     []string // JSON; the event at i has Seq i+1
	known   map[string]bool
	worker  *simWorker
	monitor *simMonitor
	clients []*simClient
	toGw    []*relaypb.OutInbox
	lost    int
}

type simWorker struct {
	inst    subject.Instance
	queries map[uint64]*fakeQuery
}

type simMonitor struct {
	inst    subject.Instance
	watches map[uint64]int // served up to
	fresh   []uint64       // to be confirmed
	number  uint64
	told    int
}

type simClient struct {
	conn    *conn
	subs    map[string]*simSub
	pending map[string]int // event → OKs heard
	stalled int
	next    int
}

// simSub is what one subscription has heard.
type simSub struct {
	stored []int
	eose   bool
	live   []int
}

func newSim(t *testing.T, seed uint64) *sim {
	space, err := subject.New("sim", 2)
	if err != nil {
		t.Fatal(err)
	}
	s := &sim{t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1_700_000_000, 0), loss: 0.03, inst: 100, known: make(map[string]bool)}
	cfg, lim := DefaultConfig(), limits.Default()
	cfg.PingInterval = time.Hour
	h := newTestHub(lim.MaxMessageLength)
	h.log, h.metrics, h.maxOutbound = slog.New(slog.DiscardHandler), newMetrics(stage.NewMetrics("gateway")), int(cfg.MaxOutbound)
	s.core = newCore(space, 0x6a, rules{config: &cfg, limits: &lim, policy: &policy.Policy{Auth: policy.AuthNeeded}}, s, h, s.now)
	s.newWorker()
	s.newMonitor()
	s.roster()
	for i := range 4 {
		cn := &conn{id: subject.MakeConnID(0x6a, uint32(i+1)), socket: socket{hub: h}}
		cn.shard = space.ShardOf(cn.id)
		cn.socket.conn = cn
		s.clients = append(s.clients, &simClient{conn: cn, subs: make(map[string]*simSub), pending: make(map[string]int)})
		s.core.HandleWord(word{kind: saidOpened, conn: cn})
	}
	return s
}

func (s *sim) newWorker() {
	s.inst++
	s.worker = &simWorker{s.inst, make(map[uint64]*fakeQuery)}
}

func (s *sim) newMonitor() {
	s.inst++
	s.monitor = &simMonitor{inst: s.inst, watches: make(map[uint64]int)}
}

func (s *sim) roster() {
	v := testView{make(map[subject.Stage]subject.Instance), make(map[subject.Stage][]*relaypb.Member)}
	for st, i := range map[subject.Stage]subject.Instance{subject.Ingester: 1, subject.Writer: 2, subject.Reqworker: s.worker.inst, subject.Monitor: s.monitor.inst} {
		v.owners[st] = i
		v.members[st] = []*relaypb.Member{{Instance: uint32(i), Seq: uint64(len(s.log)), Store: 1}}
	}
	s.core.HandleRoster(v)
}

func (s *sim) chance(p float64) bool { return s.rng.Float64() < p }

// Send is the bus from the gateway to the others.
func (s *sim) Send(_ string, m proto.Message) error {
	if s.chance(s.loss) {
		s.lost++
		return nil
	}
	switch m := m.(type) {
	case *relaypb.IngestInbox:
		s.ingest(m.GetEvent())
	case *relaypb.ReqInbox:
		switch b := m.Body.(type) {
		case *relaypb.ReqInbox_Query:
			q := &fakeQuery{num: b.Query.Num, granted: int(b.Query.Granted), asOf: len(s.log), at: len(s.log)}
			if len(b.Query.Cursor) > 0 {
				q.asOf = int(b.Query.AsOf)
				q.at, _ = strconv.Atoi(string(b.Query.Cursor))
			}
			s.worker.queries[q.num] = q
		case *relaypb.ReqInbox_Credit:
			if q := s.worker.queries[b.Credit.Num]; q != nil && b.Credit.Worker == uint32(s.worker.inst) {
				q.granted = int(b.Credit.Granted)
			}
		case *relaypb.ReqInbox_Stop:
			delete(s.worker.queries, b.Stop.Num)
		}
	case *relaypb.SubInbox:
		switch b := m.Body.(type) {
		case *relaypb.SubInbox_Watch:
			if _, ok := s.monitor.watches[b.Watch.Num]; !ok {
				s.monitor.watches[b.Watch.Num] = int(b.Watch.After)
			}
			s.monitor.fresh = append(s.monitor.fresh, b.Watch.Num)
		case *relaypb.SubInbox_Unwatch:
			sh := s.core.space.ShardOf(subject.ConnID(b.Unwatch.Conn))
			for num := range s.monitor.watches {
				if num == b.Unwatch.Num || b.Unwatch.Below && num < b.Unwatch.Num && num%2 == uint64(sh) {
					delete(s.monitor.watches, num)
				}
			}
		}
	}
	return nil
}

// reply is the bus to the gateway.
func (s *sim) reply(m *relaypb.OutInbox) {
	if s.chance(s.loss) {
		s.lost++
		return
	}
	s.toGw = append(s.toGw, m)
}

func (s *sim) ingest(f *relaypb.EventFrame) {
	var e struct{ ID string }
	_ = json.Unmarshal(f.Event, &e)
	v := &relaypb.Verdict{Num: f.Num, Outcome: relaypb.Outcome_DUPLICATE, Text: "duplicate: have it"}
	v.Id, _ = hex.DecodeString(e.ID)
	if !s.known[e.ID] {
		s.known[e.ID] = true
		s.log = append(s.log, fmt.Sprintf(`{"seq":%d,"x":"%s"}`, len(s.log)+1, strings.Repeat("x", s.rng.IntN(3000))))
		v.Outcome, v.Text = relaypb.Outcome_NEW, ""
	}
	s.reply(&relaypb.OutInbox{Body: &relaypb.OutInbox_Verdict{Verdict: v}})
}

// trouble lets clients do something, and processes die.
func (s *sim) trouble() {
	for i, c := range s.clients {
		switch s.rng.IntN(60) {
		default:
			if s.chance(0.7) {
				continue
			}
			id := fmt.Sprintf("%060x%04x", i+1, c.next)
			c.next++
			c.pending[id] = 0
			s.say(c, fmt.Sprintf(`["EVENT",{"id":"%s"}]`, id))
		case 2:
			id := string(rune('a' + s.rng.IntN(4)))
			s.listen(c)
			c.subs[id] = new(simSub)
			s.say(c, `["REQ","`+id+`",{}]`)
		case 3:
			id := string(rune('a' + s.rng.IntN(4)))
			s.listen(c)
			delete(c.subs, id)
			s.say(c, `["CLOSE","`+id+`"]`)
		case 4:
			c.stalled = s.rng.IntN(50)
		}
	}
	if s.chance(0.02) {
		s.newWorker()
		if s.chance(0.5) {
			s.roster() // else it is noticed later
		}
	}
	if s.chance(0.01) { // the bus was away
		s.lost += len(s.toGw)
		s.toGw = nil
		s.core.Reconnected()
	}
	if s.chance(0.02) {
		s.newMonitor()
		if s.chance(0.5) {
			s.roster()
		}
	}
}

func (s *sim) say(c *simClient, text string) {
	m, err := frame.ParseClient([]byte(text))
	taken := weigh(m, err)
	if taken > 0 {
		s.core.hub.windows.take(&c.conn.share, taken)
	}
	s.core.HandleWord(word{kind: saidMessage, conn: c.conn, client: m, taken: taken, err: err})
}

// step is a tenth of a second.
func (s *sim) step() {
	s.now = s.now.Add(tickEvery)
	s.serveQueries()
	s.serveWatches()
	for len(s.toGw) > 0 {
		m := s.toGw[0]
		s.toGw = s.toGw[1:]
		s.core.Handle(m)
	}
	if s.now.UnixMilli()%500 == 0 {
		s.roster()
	}
	s.core.Tick(s.now)
	s.checkAlarms()
	for _, c := range s.clients {
		if c.stalled--; c.stalled <= 0 {
			s.listen(c)
			s.core.HandleWord(word{kind: saidDrained, conn: c.conn})
		}
	}
}

// checkAlarms finds what has more than one alarm: each would set its next, and they
// would only become more.
func (s *sim) checkAlarms() {
	set := make(map[alarm]bool)
	for _, slot := range s.core.alarms.slots {
		for _, a := range slot {
			if set[a] {
				s.t.Fatalf("more than one alarm of kind %d for %d", a.about, a.num)
			}
			set[a] = true
		}
	}
}

func (s *sim) serveQueries() {
	for num, q := range s.worker.queries {
		for range s.rng.IntN(20) {
			if q.at > 0 && q.sent >= q.granted {
				break
			}
			p := &relaypb.Part{Num: num, Worker: uint32(s.worker.inst), Index: q.index, AsOf: uint64(q.asOf)}
			if q.at > 0 {
				q.at--
				p.Events = [][]byte{[]byte(s.log[q.at])}
				q.sent += len(s.log[q.at])
			} else {
				p.Eose = true
				delete(s.worker.queries, num)
			}
			q.index++
			p.Cursor = []byte(strconv.Itoa(q.at))
			s.reply(&relaypb.OutInbox{Body: &relaypb.OutInbox_Part{Part: p}})
			if p.Eose {
				break
			}
		}
	}
}

func (s *sim) serveWatches() {
	m := s.monitor
	d := &relaypb.Deliveries{Monitor: uint32(m.inst), Upto: uint64(len(s.log)), Watching: m.fresh}
	m.fresh = nil
	first := len(s.log)
	for _, upto := range m.watches {
		first = min(first, upto)
	}
	for i := first; i < len(s.log); i++ {
		e := &relaypb.Delivery{Seq: uint64(i + 1), Json: []byte(s.log[i])}
		for num, upto := range m.watches {
			if upto <= i {
				e.Nums = append(e.Nums, num)
			}
		}
		d.Events = append(d.Events, e)
	}
	for num := range m.watches {
		m.watches[num] = max(len(s.log), m.watches[num])
	}
	heartbeat := len(m.watches) > 0 && m.told < len(s.log) && s.now.UnixMilli()%1000 == 0
	if len(d.Events)+len(d.Watching) == 0 && !heartbeat {
		return
	}
	m.number++
	m.told = len(s.log)
	d.Number = m.number
	s.reply(&relaypb.OutInbox{Body: &relaypb.OutInbox_Deliveries{Deliveries: d}})
}

// listen has a client read what waits for it.
func (s *sim) listen(c *simClient) {
	buf := c.conn.buf
	c.conn.buf = nil
	for len(buf) > 0 {
		h, err := ws.ReadHeader(strings.NewReader(string(buf[:min(len(buf), 14)])))
		if err != nil {
			s.t.Fatal(err)
		}
		n := ws.HeaderSize(h)
		s.hear(c, buf[n:n+int(h.Length)])
		buf = buf[n+int(h.Length):]
	}
	if c.conn.state != open {
		s.t.Fatal("a client was cut")
	}
}

func (s *sim) hear(c *simClient, text []byte) {
	var parts []json.RawMessage
	var verb, id string
	if json.Unmarshal(text, &parts) != nil || json.Unmarshal(parts[0], &verb) != nil || json.Unmarshal(parts[1], &id) != nil {
		s.t.Fatalf("heard %s", text)
	}
	sub := c.subs[id]
	if verb != "OK" && sub == nil {
		s.t.Fatalf("heard %s for a subscription that is closed", cutText(string(text)))
	}
	switch verb {
	case "OK":
		c.pending[id]++
	case "EVENT":
		var e struct{ Seq int }
		_ = json.Unmarshal(parts[2], &e)
		if sub.eose {
			sub.live = append(sub.live, e.Seq)
		} else {
			sub.stored = append(sub.stored, e.Seq)
		}
		sub.check(s.t, id)
	case "EOSE":
		if sub.eose {
			s.t.Fatalf("a second EOSE for %s", id)
		}
		if sub.eose = true; len(sub.stored) > 0 && sub.stored[len(sub.stored)-1] != 1 {
			s.t.Fatalf("EOSE for %s after %v", id, sub.stored)
		}
	case "CLOSED":
		delete(c.subs, id)
	}
}

// check looks at what was heard last.
func (sub *simSub) check(t *testing.T, id string) {
	want := 0
	switch n := len(sub.live); {
	case n > 1:
		want = sub.live[n-2] + 1
	case n == 1 && len(sub.stored) == 0:
		want = 1
	case n == 1:
		want = sub.stored[0] + 1
	case len(sub.stored) > 1:
		want = sub.stored[len(sub.stored)-2] - 1
	default:
		return
	}
	got := append(sub.stored[:len(sub.stored):len(sub.stored)], sub.live...)
	if last := got[len(got)-1]; last != want {
		t.Fatalf("%s heard %d, want %d; stored %v, live %v", id, last, want, sub.stored, sub.live)
	}
}

// verify looks at what everybody has heard in the end.
func (s *sim) verify() {
	for i, c := range s.clients {
		for id, n := range c.pending {
			if n != 1 {
				s.t.Errorf("client %d: event %s was answered %d times", i, id, n)
			}
		}
		for id, sub := range c.subs {
			heard := len(sub.live)
			if len(sub.stored) > 0 {
				heard += sub.stored[0]
			}
			if !sub.eose || heard != len(s.log) {
				s.t.Errorf("client %d, sub %s: eose %v, heard up to %d of %d", i, id, sub.eose, heard, len(s.log))
			}
		}
		if len(c.conn.subs) != len(c.subs) {
			s.t.Errorf("client %d has %d subscriptions, and the core %d", i, len(c.subs), len(c.conn.subs))
		}
		if c.conn.granted != 0 || len(c.conn.starved) != 0 {
			s.t.Errorf("client %d: %d bytes granted, %d starved, and no query", i, c.conn.granted, len(c.conn.starved))
		}
	}
	k := s.core
	if used := k.hub.windows.used(); used != 0 || len(k.claims) != 0 || len(k.events) != 0 || k.queries != 0 || k.watching.Used() != 0 {
		s.t.Errorf("left over: %d bytes in the window, %d events, %d queries, %d bytes of watches", used, len(k.events), k.queries, k.watching.Used())
	}
	m := k.metrics
	s.t.Logf("%d events, %d messages lost, %d resent, %d resumed, %d registered again, %d gaps, %d given up", len(s.log), s.lost,
		m.resent.Value(), m.resumed.Value(), m.rewatched.Value(), m.gaps.Value(), m.timeouts.Value())
	if s.lost == 0 || m.gaps.Value() == 0 {
		s.t.Error("there was no trouble")
	}
}
