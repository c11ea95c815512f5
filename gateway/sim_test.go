package gateway

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unique"

	"github.com/gobwas/ws"

	"rhea/proto/limits"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// TestLossAndDeath runs a core with simulated time among processes that die and
// are replaced, on a bus that loses messages in both directions, and sometimes all
// that is under way. Clients publish, subscribe, count, authenticate, close, stall.
// Some events are for those with a key only.
//
// The oracle is what every subscription must hear: of the stored events k, k-1, …,
// 1, then EOSE, then of k+1, k+2, … up to the last, each that its client may see,
// without a hole or a repetition (see simSub.verify); for every EVENT and AUTH
// exactly one OK; for the last COUNT of an id exactly one answer.
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
	log     []simEvent // that at i has Seq i+1
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
	watches map[uint64]*simWatch
	fresh   []uint64 // to be confirmed
	number  uint64
	told    int
}

type simWatch struct {
	upto int
	keys [][]byte
}

type simEvent struct {
	json string
	key  byte // that its readers need; 0: none
}

// simKeys is how many keys there are, from 1 on.
const simKeys = 3

type simClient struct {
	conn    *conn
	subs    map[string]*simSub
	counts  map[string]bool // that wait for an answer
	pending map[string]int  // event → OKs heard
	auths   map[string]byte // event → its key
	keys    simAuth
	stalled int
	next    int
}

// simAuth is what a client has authenticated, by key.
type simAuth struct {
	tried [simKeys + 1]bool
	sure  [simKeys + 1]bool // OK true was heard
	from  [simKeys + 1]int  // as of this Seq
}

func newSim(t *testing.T, seed uint64) *sim {
	space, err := subject.New("sim", 2)
	if err != nil {
		t.Fatal(err)
	}
	s := &sim{t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1_700_000_000, 0), loss: 0.03, inst: 100, known: make(map[string]bool)}
	pol := policy.Policy{Auth: policy.AuthOnConnect, Mute: true}
	cfg, lim := DefaultConfig(), limits.Default()
	cfg.PingInterval = time.Hour
	h := newTestHub(lim.MaxMessageLength)
	h.log, h.metrics = slog.New(slog.DiscardHandler), newMetrics(stage.NewMetrics("gateway"))
	h.limits = limitsOfSockets(&cfg, &lim)
	s.core = newCore(space, 0x6a, rules{config: &cfg, limits: &lim, policy: &pol}, s, h, s.now)
	s.newWorker()
	s.newMonitor()
	s.roster()
	for i := range 4 {
		cn := &conn{id: subject.MakeConnID(0x6a, uint32(i+1)), host: unique.Make("relay.example.org")}
		cn.shard = space.ShardOf(cn.id)
		s.clients = append(s.clients, &simClient{conn: cn, subs: make(map[string]*simSub), counts: make(map[string]bool),
			pending: make(map[string]int), auths: make(map[string]byte)})
		s.core.Open(cn, nil)
	}
	return s
}

func (s *sim) newWorker() {
	s.inst++
	s.worker = &simWorker{s.inst, make(map[uint64]*fakeQuery)}
}

func (s *sim) newMonitor() {
	s.inst++
	s.monitor = &simMonitor{inst: s.inst, watches: make(map[uint64]*simWatch)}
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
			c.subs[id] = &simSub{began: c.keys}
			s.say(c, `["REQ","`+id+`",{}]`)
		case 3:
			id := string(rune('a' + s.rng.IntN(4)))
			s.listen(c)
			delete(c.subs, id)
			s.say(c, `["CLOSE","`+id+`"]`)
		case 4:
			c.stalled = s.rng.IntN(50)
		case 5:
			if s.chance(0.7) { // so that some have no keys for a while
				continue
			}
			id, key := fmt.Sprintf("%060x%04x", i+1, c.next), byte(1+s.rng.IntN(simKeys))
			c.next++
			c.pending[id], c.auths[id] = 0, key
			s.listen(c)
			c.keys.tried[key] = true
			s.say(c, fmt.Sprintf(`["AUTH",{"id":"%s","key":%d}]`, id, key))
		case 6:
			id := string(rune('m' + s.rng.IntN(2)))
			s.listen(c)
			c.counts[id] = true
			s.say(c, `["COUNT","`+id+`",{}]`)
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
	sayAtOnce(s.core, c.conn, text)
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
			s.core.fund(c.conn)
		}
	}
}

// checkAlarms finds what has more than one alarm: each would set its next, and they
// would only become more.
func (s *sim) checkAlarms() {
	set := make(map[alarm]bool)
	for a := range s.core.alarms.all() {
		if set[a] {
			s.t.Fatalf("more than one alarm of kind %d for %d", a.about, a.num)
		}
		set[a] = true
	}
}

// listen has a client read what waits for it.
func (s *sim) listen(c *simClient) {
	buf := unsent(s.core, c.conn)
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
	switch {
	case verb == "OK" || verb == "AUTH":
	case c.counts[id]:
		delete(c.counts, id)
		return
	case sub == nil:
		s.t.Fatalf("heard %s for a subscription that is closed", cutText(string(text)))
	}
	switch verb {
	case "OK":
		c.pending[id]++
		if key := c.auths[id]; key != 0 && string(parts[2]) == "true" && !c.keys.sure[key] {
			c.keys.sure[key], c.keys.from[key] = true, len(s.log)
		}
	case "EVENT":
		var e struct{ Seq int }
		_ = json.Unmarshal(parts[2], &e)
		sub.hear(s.t, e.Seq)
	case "EOSE":
		if sub.eose {
			s.t.Fatalf("a second EOSE for %s", id)
		}
		sub.eose = true
	case "CLOSED":
		delete(c.subs, id)
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
			if err := sub.verify(s.log, &c.keys); err != nil {
				s.t.Errorf("client %d, sub %s: %v", i, id, err)
			}
		}
		for id := range c.counts {
			s.t.Errorf("client %d: the last COUNT %s was not answered", i, id)
		}
		if len(c.conn.subs) != len(c.subs) {
			s.t.Errorf("client %d has %d subscriptions, and the core %d", i, len(c.subs), len(c.conn.subs))
		}
		if c.conn.granted != 0 || len(c.conn.starved()) != 0 {
			s.t.Errorf("client %d: %d bytes granted, %d starved, and no query", i, c.conn.granted, len(c.conn.starved()))
		}
	}
	k := s.core
	if used := k.hub.windows.whole.Used(); used != 0 || len(k.claims) != 0 || len(k.events) != 0 || len(k.counts) != 0 || k.queries != 0 || k.watching.Used() != 0 {
		s.t.Errorf("left over: %d bytes in the window, %d events, %d queries, %d bytes of watches", used, len(k.events), k.queries, k.watching.Used())
	}
	m := k.metrics
	s.t.Logf("%d events, %d messages lost, %d resent, %d resumed, %d registered again, %d gaps, %d given up", len(s.log), s.lost,
		m.resent.Value(), m.resumed.Value(), m.rewatched.Value(), m.gaps.Value(), m.timeouts.Value())
	if s.lost == 0 || m.gaps.Value() == 0 {
		s.t.Error("there was no trouble")
	}
}
