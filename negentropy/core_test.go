package negentropy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rhea/proto/negentropy"
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// bench is a core without its shell: reading and answering happen at once, or not
// at all while held.
type bench struct {
	*core
	t       testing.TB
	clock   time.Time
	store   *fakeStore
	held    bool
	answers []*relaypb.NegReply
}

// own is the instance of the bench's gateway.
const own = subject.Instance(7)

func conn(n uint32) subject.ConnID { return subject.MakeConnID(own, n) }

// newBench has a tree of the store's events, if it has any.
func newBench(t testing.TB, cfg Config, store *fakeStore) *bench {
	b := &bench{t: t, clock: time.Now(), store: store}
	limits := nostr.FilterLimits{MaxFilters: 10, MaxValues: 100}
	b.core = newCore(cfg, limits, policyOfTests(), newSpace(t).ShardOf, 2, newMetrics(stage.NewMetrics("negentropy")))
	s := &scan{filters: []byte(`{}`), limit: nostr.NoLimit, expires: true, set: newTree()}
	for !s.done {
		if err := s.add(store.scan(s.request())); err != nil {
			t.Fatal(err)
		}
	}
	next := uint64(len(store.entries) + 1)
	b.news(b.clock, news{tree: s.set, expiring: s.expiring, entries: &relaypb.Entries{From: next, Next: next}})
	return b
}

// say hands a message over and returns the answers that have come by then.
func (b *bench) say(m *relaypb.NegInbox) string {
	b.handle(b.clock, m)
	return b.run()
}

func (b *bench) run() string {
	for {
		out := b.flush()
		for _, a := range out.answers {
			b.answers = append(b.answers, a.msg)
		}
		if b.held || len(out.reads)+len(out.replies)+len(out.answers) == 0 {
			break
		}
		for _, s := range out.reads {
			b.slice(b.clock, s, s.scan.add(b.store.scan(s.scan.request())))
		}
		for _, q := range out.replies {
			reply, err := negentropy.Respond(nil, q.set, q.message, b.cfg.FrameBytes)
			b.replied(b.clock, q, reply, err)
		}
	}
	var text []string
	for _, a := range b.answers {
		what := a.Error
		if what == "" {
			what = fmt.Sprintf("%x", a.Message)
		}
		if a.Records > 0 {
			what += fmt.Sprintf(" (%d)", a.Records)
		}
		text = append(text, fmt.Sprintf("%d.%d %s", a.Num, a.Turn, what))
	}
	b.answers = nil
	return strings.Join(text, "; ")
}

// pass has time go by.
func (b *bench) pass(d time.Duration) string {
	b.clock = b.clock.Add(d)
	b.tick(b.clock, func(i subject.Instance) bool { return i == own })
	return b.run()
}

func (b *bench) want(got, want string) {
	b.t.Helper()
	if got != want {
		b.t.Errorf("got  %s\nwant %s", got, want)
	}
}

// ask is a message that has one answer, which is nothing where sets are equal.
var ask = []byte{0x61}

func TestRefusals(t *testing.T) {
	b := newBench(t, DefaultConfig(), newFakeStore(seed(t)))
	b.want(b.say(openMsg(conn(1), 1, `[]`, ask)), "1.0 invalid: a filter must be a JSON object")
	b.want(b.say(openMsg(conn(1), 2, `{"kinds":[4]}`, ask)), "2.0 auth-required: these kinds are served to their authors and recipients only")
	m := openMsg(conn(1), 3, `{"kinds":[4],"authors":["`+someKeys[0].String()+`"],"#p":["`+someKeys[0].String()+`"]}`, ask)
	m.GetOpen().Keys = [][]byte{someKeys[1][:]}
	b.want(b.say(m), "3.0 restricted: these events are for others than the keys that are authenticated")
	b.want(b.say(openMsg(conn(1), 4, `{}`, nil)), "4.0 invalid: negentropy message, byte 0: message is empty")
	b.want(b.say(openMsg(conn(1), 5, `{}`, []byte{0x61, 0, 0, 9})), "5.0 invalid: negentropy message, byte 3: unknown mode")
	b.want(b.say(openMsg(conn(1), 6, `{}`, []byte{0x62, 1, 2, 3})), "6.0 61")
	b.want(b.say(nextMsg(conn(1), 9, 3, ask)), "9.3 closed: no such session")
	b.want(b.say(&relaypb.NegInbox{}), "")
	if len(b.sessions) != 1 {
		t.Errorf("%d sessions", len(b.sessions))
	}
}

func TestTurns(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxMessages = 4
	b := newBench(t, cfg, newFakeStore(seed(t)))
	b.want(b.say(openMsg(conn(1), 1, `{}`, ask)), "1.0 61")
	b.want(b.say(openMsg(conn(1), 1, `{}`, ask)), "") // twice
	b.want(b.say(nextMsg(conn(1), 1, 1, ask)), "1.1 61")
	b.want(b.say(nextMsg(conn(1), 1, 1, ask)), "") // twice
	b.want(b.say(nextMsg(conn(1), 1, 3, ask)), "1.3 closed: a message was lost; start over")
	b.want(b.say(openMsg(conn(1), 2, `{}`, ask)), "2.0 61")
	b.held = true
	b.want(b.say(nextMsg(conn(1), 2, 1, ask)), "")
	b.want(b.say(nextMsg(conn(1), 2, 2, ask)), "2.2 invalid: a message before the answer to the last one")
	b.replying.busy, b.held = 0, false
	b.want(b.say(openMsg(conn(1), 3, `{}`, ask)), "3.0 61")
	for turn := range uint32(3) {
		b.want(b.say(nextMsg(conn(1), 3, turn+1, ask)), fmt.Sprintf("3.%d 61", turn+1))
	}
	b.want(b.say(nextMsg(conn(1), 3, 4, ask)), "3.4 closed: the session has had too many messages; start over")
	b.want(b.say(openMsg(conn(1), 4, `{}`, ask)), "4.0 61")
	b.want(b.say(closeMsg(conn(1), 4)), "")
	b.want(b.say(nextMsg(conn(1), 4, 1, ask)), "4.1 closed: no such session")
	b.checkEmpty()
}

// checkEmpty fails if anything is left of sessions that have ended.
func (b *bench) checkEmpty() {
	b.t.Helper()
	if len(b.sessions)+len(b.perConn)+b.bytes+b.reading.waiting.Len()+b.replying.waiting.Len()+b.reading.busy+b.replying.busy > 0 || b.count != [states]int{} {
		b.t.Errorf("left: %d sessions, %d connections, %d bytes, lines %d and %d, busy %d and %d, %v", len(b.sessions), len(b.perConn), b.bytes,
			b.reading.waiting.Len(), b.replying.waiting.Len(), b.reading.busy, b.replying.busy, b.count)
	}
}

func TestBounds(t *testing.T) {
	const busy = "error: busy: too many sessions are open; try again later"
	cfg := DefaultConfig()
	cfg.MaxSessions, cfg.MaxSessionsPerConn, cfg.MaxOpening, cfg.MaxRecords = 5, 2, 2, 100
	store := newFakeStore(seed(t))
	for range 500 {
		store.commit(nostr.AppendHeader(nil, &nostr.Event{ID: randomItem(store.rng, 1).ID, Kind: 1}))
	}
	b := newBench(t, cfg, store)
	b.want(b.say(openMsg(conn(1), 1, `{"kinds":[1]}`, ask)), "1.0 blocked: this query is too big (100)")
	b.want(b.say(openMsg(conn(1), 2, `{"kinds":[1],"limit":100}`, ask)), "2.0 61")
	b.want(b.say(openMsg(conn(1), 3, `{}`, ask)), "3.0 61")
	b.want(b.say(openMsg(conn(1), 4, `{}`, ask)), "4.0 blocked: too many sessions")
	b.held = true
	b.want(b.say(openMsg(conn(2), 5, `{"kinds":[1]}`, ask)), "")
	b.want(b.say(openMsg(conn(2), 6, `{"kinds":[7]}`, ask)), "")
	b.want(b.say(openMsg(conn(3), 7, `{}`, ask)), "7.0 "+busy)
	b.want(b.say(closeMsg(conn(2), 6)), "")
	b.reading.busy, b.held = 0, false
	b.want(b.say(openMsg(conn(3), 8, `{}`, ask)), "8.0 61")
	b.want(b.say(openMsg(conn(3), 9, `{}`, ask)), "9.0 61")
	b.want(b.say(openMsg(conn(4), 10, `{}`, ask)), "10.0 "+busy)
	got := b.pass(openPatience)
	b.want(got, "5.0 error: the events of the session could not be read in time; try again later")
	b.pass(cfg.IdleTimeout)
	b.checkEmpty()
}

func TestTime(t *testing.T) {
	cfg := DefaultConfig()
	b := newBench(t, cfg, newFakeStore(seed(t)))
	b.want(b.say(openMsg(conn(1), 1, `{}`, ask)), "1.0 61")
	turn := uint32(0)
	for age := time.Duration(0); age+cfg.IdleTimeout < cfg.MaxAge; age += cfg.IdleTimeout - time.Second {
		b.want(b.pass(cfg.IdleTimeout-time.Second), "")
		turn++
		b.want(b.say(nextMsg(conn(1), 1, turn, ask)), fmt.Sprintf("1.%d 61", turn))
	}
	b.want(b.pass(cfg.IdleTimeout-time.Second), fmt.Sprintf("1.%d closed: the session is too old; start over", turn))
	b.want(b.say(openMsg(conn(1), 2, `{}`, ask)), "2.0 61")
	b.want(b.pass(cfg.IdleTimeout), "2.0 closed: you took too long to respond!")

	other := subject.MakeConnID(8, 1) // of a gateway that nobody knows
	b.want(b.say(openMsg(other, 1, `{}`, ask)), "1.0 61")
	b.want(b.say(openMsg(conn(1), 3, `{}`, ask)), "3.0 61")
	b.pass(0)
	b.want(b.pass(gatewayGrace), "")
	if len(b.sessions) != 1 {
		t.Errorf("%d sessions", len(b.sessions))
	}
	b.lose([]subject.Shard{b.shardOf(conn(1))})
	b.want(b.run(), "")
	b.checkEmpty()
}

// The memory of sessions is bounded, both what they have of their own and what
// they keep of a tree that has changed since.
func TestMemory(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxSessionBytes = 1 << 20
	rng := seed(t)
	b := newBench(t, cfg, newFakeStore(rng))
	for i := range 40_000 {
		b.mirror.tree.insert(item{CreatedAt: int64(i)})
	}
	b.held = true
	b.want(b.say(openMsg(conn(1), 1, `{"kinds":[1]}`, ask)), "")
	s := b.sessions[key{own, 1}]
	for s.state == opening {
		if s.bytes > 2<<20 {
			t.Fatalf("a session of %d bytes", s.bytes)
		}
		var r relaypb.ScanReply
		for range 5000 {
			x := randomItem(rng, 1<<40)
			r.Ids = append(append(r.Ids, 0, 0, 0, byte(x.CreatedAt>>32), byte(x.CreatedAt>>24), 1, 2, 3), x.ID[:]...)
		}
		r.Cursor = []byte{1}
		b.reading.busy = 1
		b.slice(b.clock, s, s.scan.add(&r))
		b.flush()
	}
	b.held, b.reading.busy = false, 0
	b.want(fmt.Sprint(s.scan.found >= 10_000, b.bytes), "true 0")

	b.want(b.say(openMsg(conn(1), 2, `{"until":-1}`, ask)), "2.0 61") // has nothing of the tree
	b.want(b.say(openMsg(conn(1), 3, `{}`, ask)), "3.0 61")
	n := 0
	for ; b.pass(0) == ""; n++ {
		b.mirror.tree.insert(item{CreatedAt: rng.Int64N(40_000), ID: randomItem(rng, 1).ID})
	}
	if most := int(cfg.MaxSessionBytes) / nodeBytes; n < most/3 || b.mirror.tree.copied > most+10 {
		t.Errorf("ended after %d changes, %d copies", n, b.mirror.tree.copied)
	}
	if len(b.sessions) != 1 {
		t.Errorf("%d sessions", len(b.sessions))
	}
}

// A session keeps nothing that is not counted as its memory: not the lists of its
// filter, and not what expires of a set that stays as it is.
func TestSessionsKeepNoMore(t *testing.T) {
	store := newFakeStore(seed(t))
	store.commit(nostr.AppendHeader(nil, &nostr.Event{
		ID: randomItem(store.rng, 1).ID, Kind: 1, Tags: []nostr.Tag{{"expiration", "99999999999"}},
	}))
	b := newBench(t, DefaultConfig(), store)
	for i, filter := range []string{
		`{"kinds":[1],"#t":["a","b"]}`, `{"authors":["` + someKeys[0].String() + `"],"limit":0}`, `{"kinds":[1],"since":2,"until":1}`,
	} {
		b.say(openMsg(conn(1), uint64(i), filter, ask))
		f := b.sessions[key{own, uint64(i)}].filter
		if len(f.IDs)+len(f.Authors)+len(f.Kinds)+len(f.Tags) > 0 {
			t.Errorf("%s: %v is kept", filter, f)
		}
	}
	b.held = true
	b.say(openMsg(conn(1), 9, `{"kinds":[1]}`, ask))
	s := b.sessions[key{own, 9}].scan
	if err := s.add(store.scan(s.request())); err != nil || s.found != 1 || len(s.expiring) > 0 {
		t.Errorf("%d found, %d expirations kept, %v", s.found, len(s.expiring), err)
	}
}

// Sessions wait for the tree, but not for ever.
func TestWaitForTree(t *testing.T) {
	b := newBench(t, DefaultConfig(), newFakeStore(seed(t)))
	tree := b.mirror.tree
	b.news(b.clock, news{})
	b.want(b.say(openMsg(conn(1), 1, `{}`, ask)), "")
	b.want(b.say(openMsg(conn(1), 2, `{"kinds":[1]}`, ask)), "2.0 61")
	b.want(b.pass(openPatience-time.Second), "")
	b.want(b.say(openMsg(conn(1), 3, `{}`, ask)), "")
	b.want(b.pass(time.Second), "1.0 error: the events of the session could not be read in time; try again later")
	b.news(b.clock, news{tree: tree, entries: &relaypb.Entries{From: 1, Next: 1}})
	b.want(b.run(), "3.0 61")
}

// A session that waits for the tree to come as far as one store does not wait for
// the tree of another to do so.
func TestWaitForAnotherStore(t *testing.T) {
	store := newFakeStore(seed(t))
	b := newBench(t, DefaultConfig(), store)
	store.commit(nostr.AppendHeader(nil, &nostr.Event{ID: randomItem(store.rng, 1).ID, Kind: 1}))
	b.want(b.say(openMsg(conn(1), 1, `{}`, ask)), "")
	b.store = newFakeStore(store.rng)
	b.news(b.clock, news{})
	b.want(b.run(), "")
	b.news(b.clock, news{tree: newTree(), entries: &relaypb.Entries{From: 1, Next: 1}})
	b.want(b.run(), "1.0 61")
}

// What the store answers is not taken on trust.
func TestScanOfNonsense(t *testing.T) {
	for i, r := range []*relaypb.ScanReply{
		{Ids: make([]byte, 39), Done: true}, {Ids: make([]byte, 40)}, {Done: true, Expiring: make([]byte, 12)},
		{Done: true, Ids: make([]byte, 40), Expiring: make([]byte, 11)}, {Done: true, Ids: append([]byte{255}, make([]byte, 39)...)},
	} {
		s := &scan{limit: nostr.NoLimit, expires: true, set: newTree()}
		if s.add(r) != errNonsense {
			t.Errorf("%d is taken", i)
		}
	}
}

// The newest are taken, whatever the store sends beyond them.
func TestScanOfLimit(t *testing.T) {
	s := &scan{limit: 3, set: newTree()}
	for i := 0; i < 4; i += 2 {
		r := &relaypb.ScanReply{Ids: make([]byte, 2*itemBytes), Cursor: []byte{1}}
		r.Ids[7], r.Ids[itemBytes+7] = byte(9-i), byte(8-i)
		if most := int(s.request().MaxBytes); most != (3-i)*itemBytes {
			t.Errorf("%d bytes are asked for", most)
		}
		if err := s.add(r); err != nil || s.done != (i == 2) {
			t.Fatalf("done %v, %v", s.done, err)
		}
	}
	if s.found != 3 || s.set.Len() != 3 || s.set.Item(0).CreatedAt != 7 {
		t.Errorf("%d found, from %d on", s.found, s.set.Item(0).CreatedAt)
	}
}

// Events that leave before they expire are forgotten before that, too.
func TestExpiries(t *testing.T) {
	rng, tr := seed(t), newTree()
	var e expiries
	var kept []int64
	for range 50 * fewExpiries {
		x := expiry{rng.Int64N(1 << 40), randomItem(rng, 1000)}
		tr.insert(x.item)
		e.add(x, tr)
		if rng.IntN(100) > 0 {
			tr.remove(x.item)
		} else {
			kept = append(kept, x.at)
		}
	}
	if len(e.heap) > fewExpiries+2*len(kept) {
		t.Errorf("%d are remembered for %d", len(e.heap), len(kept))
	}
	slices.Sort(kept)
	for x, ok := e.next(1 << 40); ok; x, ok = e.next(1 << 40) {
		if !tr.remove(x) {
			continue
		}
		if _, earlier := e.next(kept[0] - 1); earlier {
			t.Fatal("not in the order of time")
		}
		kept = kept[1:]
	}
	if len(kept) > 0 {
		t.Errorf("%d were forgotten", len(kept))
	}
}

func TestConfig(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	for key, spoil := range map[string]func(*Config){
		"max_tree_records":      func(c *Config) { c.MaxTreeRecords = -1 },
		"max_records":           func(c *Config) { c.MaxRecords = 0 },
		"max_sessions":          func(c *Config) { c.MaxSessions = 0 },
		"max_sessions_per_conn": func(c *Config) { c.MaxSessionsPerConn = 0 },
		"max_session_bytes":     func(c *Config) { c.MaxSessionBytes = 1000 },
		"max_opening":           func(c *Config) { c.MaxOpening = 0 },
		"concurrency":           func(c *Config) { c.Concurrency = 0 },
		"frame_bytes":           func(c *Config) { c.FrameBytes = 4095 },
		"max_messages":          func(c *Config) { c.MaxMessages = 0 },
		"idle_timeout":          func(c *Config) { c.IdleTimeout = time.Second },
		"max_age":               func(c *Config) { c.MaxAge = 0 },
	} {
		c := DefaultConfig()
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), key+" ") {
			t.Errorf("%s: %v", key, err)
		}
	}
	if err := Run(context.Background(), Config{}, stage.Env{}); err == nil {
		t.Error("runs without settings")
	}
}
