package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/schnorr"
)

// player is a client of a siege: one connection, on which it acts, asks and syncs at
// the same time, and some keys, which nobody else signs with.
type player struct {
	*talker
	n          int
	isStranger bool // never proves who it is
	keys       []key
	mortal     key // vanishes sooner or later
	proven     int // keys that were authenticated
	lives      []*inquiry
}

type key struct {
	secret [32]byte
	public nostr.PubKey
}

func enter(s *siege, n int, seed uint64) *player {
	c, err := talk(s)
	if err != nil {
		s.t.Fatal(err)
	}
	p := &player{talker: c, n: n, isStranger: n >= 4}
	p.keys = []key{s.newKey(seed), s.newKey(seed)}
	p.mortal = s.newKey(seed)
	if !p.isStranger {
		p.prove(p.keys[0])
	}
	return p
}

// newKey makes a key that other players will write to.
func (s *siege) newKey(seed uint64) key {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets++
	k := key{secret: nostrtest.Secret(seed>>1 + s.secrets)}
	var err error
	if k.public, err = schnorr.PublicKey(&k.secret); err != nil {
		panic(err)
	}
	s.keys = append(s.keys, k.public)
	return k
}

// anybody is a key of a player, of a late one rather than an early one.
func (s *siege) anybody(rng *rand.Rand) nostr.PubKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.keys); rng.IntN(2) == 0 {
		return s.keys[n-1-rng.IntN(min(n, 12))]
	}
	return s.keys[rng.IntN(len(s.keys))]
}

func (p *player) prove(k key) {
	for !p.authenticate(k.secret, false) {
		if p.leaving.Load() || p.s.t.Failed() {
			return
		}
	}
	p.proven++
}

// event makes an event that is one third of a second younger than the last.
func (p *player) event(k key, kind nostr.Kind, content string, tags ...nostr.Tag) *entry {
	e := &nostr.Event{Kind: kind, CreatedAt: p.s.clock.Add(1) / 3, Tags: tags, Content: content}
	return p.sign(k, e)
}

func (p *player) sign(k key, e *nostr.Event) *entry {
	if err := nostrtest.Sign(e, k.secret); err != nil {
		panic(err)
	}
	return p.s.ledger.add(e)
}

// own is one of the player's keys.
func (p *player) own(rng *rand.Rand) key {
	if rng.IntN(3) == 0 {
		return p.mortal
	}
	return p.keys[rng.IntN(len(p.keys))]
}

// act does one thing that changes the relay.
func (p *player) act(rng *rand.Rand) {
	switch n := rng.IntN(100); {
	case n < 55:
		var batch []*entry
		for range 1 + rng.IntN([]int{4, 8, 20}[rng.IntN(3)]) {
			batch = append(batch, p.something(rng))
		}
		p.publish(batch...)
	case n < 75:
		p.remove(rng)
	case n < 85:
		p.again(rng)
	case n < 90:
		p.vanish(rng)
	case n < 93:
		p.authenticate(p.keys[1].secret, true)
	case p.isStranger:
	case p.proven < 3:
		p.prove(p.keys[1])
	case p.proven < 6:
		p.prove(p.mortal)
	default:
		p.prove(p.keys[0]) // once more
	}
}

// something is a new event of any sort.
func (p *player) something(rng *rand.Rand) *entry {
	k, topic := p.own(rng), nostr.Tag{"t", fmt.Sprint("topic", rng.IntN(4))}
	to := nostr.Tag{"p", p.s.anybody(rng).String()}
	content := fmt.Sprint(p.n, " ", rng.Uint64())
	switch n := rng.IntN(20); {
	case n < 6:
		return p.event(k, 1, content, topic)
	case n < 7:
		return p.event(k, 7, content, topic, to)
	case n < 9:
		return p.event(k, 1, content, nostr.Tag{"-"}, topic)
	case n < 11:
		return p.event(k, 1, content, topic, nostr.Tag{"expiration", fmt.Sprint(time.Now().Unix() + rng.Int64N(4))})
	case n < 13:
		return p.event(k, 4, content, to, nostr.Tag{"t", "secret"})
	case n < 15: // wraps are signed by keys of no one
		return p.event(key{secret: nostrtest.Secret(rng.Uint64() >> 1)}, 1059, content, to, nostr.Tag{"t", "secret"})
	case n < 16:
		return p.event(k, 21059, content, to, nostr.Tag{"t", "secret"})
	case n < 17:
		return p.event(k, 20001, content, topic)
	case n < 18:
		return p.event(k, 10002, content, topic)
	}
	x := p.event(k, 30023, content, nostr.Tag{"d", fmt.Sprint(rng.IntN(3))}, topic)
	if rng.IntN(5) == 0 { // an old version
		e := *x.Event
		e.CreatedAt -= 1 + rng.Int64N(60)
		x = p.sign(k, &e)
	}
	return x
}

// find returns an event that satisfies f, a late one rather than an early one, or nil.
func (p *player) find(rng *rand.Rand, f func(x *entry) bool) *entry {
	l := p.s.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for range 50 {
		if n := len(l.all); n > 0 {
			if x := l.all[max(rng.IntN(n), rng.IntN(n))]; f(x) {
				return x
			}
		}
	}
	return nil
}

func (p *player) keyOf(pk nostr.PubKey) (key, bool) {
	for _, k := range append(p.keys, p.mortal) {
		if k.public == pk {
			return k, true
		}
	}
	return key{}, false
}

// remove deletes something and looks whether it is gone, and stays away.
func (p *player) remove(rng *rand.Rand) {
	var by key
	target := p.find(rng, func(x *entry) bool {
		owner, mine := p.keyOf(x.PubKey)
		for _, party := range x.parties {
			if k, ok := p.keyOf(party); ok && x.Kind == 1059 {
				owner, mine = k, true
			}
		}
		by = owner
		return mine && x.Kind != 5 && x.Kind != 62 && !x.Kind.IsEphemeral() && (x.accepted > 0 || x.unanswered > 0 || x.doubtful)
	})
	if target == nil {
		return
	}
	tag := nostr.Tag{"e", target.ID.String()}
	if target.address != "" {
		// By address alone: were the newest version deleted by its id, older ones could come again.
		tag = nostr.Tag{"a", target.address}
	}
	request := p.event(by, 5, fmt.Sprint("deletes ", target.ID), tag)
	// What is not yet there may be deleted, too.
	var late *entry
	if rng.IntN(3) == 0 && target.address == "" {
		e := &nostr.Event{Kind: 1, CreatedAt: request.CreatedAt, Content: fmt.Sprint("late ", rng.Uint64()), Tags: []nostr.Tag{{"t", "topic0"}}, PubKey: by.public}
		e.ID = e.ComputeID()
		request = p.event(by, 5, "deletes what comes", tag, nostr.Tag{"e", e.ID.String()})
		late = p.sign(by, e)
	}
	p.publish(request)
	if late != nil {
		p.publish(late)
	}
	p.query(0, fmt.Sprintf(`{"ids":["%s","%s"]}`, target.ID, request.ID))
	p.publish(target)
}

// again sends what somebody has sent before.
func (p *player) again(rng *rand.Rand) {
	if x := p.find(rng, func(x *entry) bool { return x.first > 0 }); x != nil {
		p.publish(x)
	}
}

// vanish is the end of the player's mortal key, which is asked for, written to, and
// may be used again later; another takes its place.
func (p *player) vanish(rng *rand.Rand) {
	k := p.mortal
	batch := []*entry{p.event(k, 1, fmt.Sprint("last words ", rng.Uint64())),
		p.event(key{secret: nostrtest.Secret(rng.Uint64() >> 1)}, 1059, "to one who vanishes", nostr.Tag{"p", k.public.String()})}
	p.publish(batch...)
	p.s.clock.Add(3)
	request := p.event(k, 62, "", nostr.Tag{"relay", "ALL_RELAYS"})
	p.publish(request)
	p.query(0, fmt.Sprintf(`{"authors":["%s"]}`, k.public))
	p.tally(fmt.Sprintf(`{"#p":["%s"]}`, k.public))
	p.publish(batch...)
	p.s.clock.Add(3)
	p.publish(p.event(k, 1, fmt.Sprint("back ", rng.Uint64()), nostr.Tag{"t", "topic1"}))
	if rng.IntN(3) > 0 {
		p.mortal = p.s.newKey(rng.Uint64() >> 2)
	}
}

// filter is something to ask for, without a limit.
func (p *player) filter(rng *rand.Rand) string {
	a, b := p.s.anybody(rng), p.s.anybody(rng)
	topic := fmt.Sprint("topic", rng.IntN(4))
	switch rng.IntN(12) {
	case 0:
		return fmt.Sprintf(`{"authors":["%s","%s"]}`, a, b)
	case 1:
		return fmt.Sprintf(`{"#t":["%s"],"kinds":[1,30023]}`, topic)
	case 2:
		return fmt.Sprintf(`{"#p":["%s"]}`, a)
	case 3:
		return fmt.Sprintf(`{"kinds":[4,1059],"#p":["%s"]}`, p.keys[0].public)
	case 4:
		return fmt.Sprintf(`{"kinds":[1059],"authors":["%s"],"#p":["%s","%s"]}`, a, b, p.keys[rng.IntN(2)].public)
	case 5:
		return `{"#t":["secret"]}`
	case 6:
		return fmt.Sprintf(`{"kinds":[5,62],"authors":["%s","%s"]}`, a, b)
	case 7:
		return fmt.Sprintf(`{"#t":["%s"],"authors":["%s","%s"]}`, topic, a, p.keys[0].public)
	case 8:
		return fmt.Sprintf(`{"kinds":[1,4,1059],"#p":["%s"],"authors":["%s"]}`, a, b)
	case 9:
		return fmt.Sprintf(`{"kinds":[10002,30023,0],"#t":["%s"]}`, topic)
	case 10:
		now := p.s.clock.Load() / 3
		return fmt.Sprintf(`{"since":%d,"until":%d}`, now-10-rng.Int64N(60), now-rng.Int64N(10))
	}
	var ids []string
	for range 8 {
		if x := p.find(rng, func(x *entry) bool { return x.first > 0 }); x != nil {
			ids = append(ids, fmt.Sprintf("%q", x.ID))
		}
	}
	return fmt.Sprintf(`{"ids":[%s]}`, strings.Join(ids, ","))
}

// ask asks one question.
func (p *player) ask(rng *rand.Rand) {
	switch n := rng.IntN(20); {
	case n < 8:
		p.query(0, p.filter(rng))
	case n < 9:
		p.query(0, p.filter(rng), p.filter(rng))
	case n < 10:
		p.query(1+rng.IntN(30), p.filter(rng))
	case n < 11:
		p.query(40, `{}`)
	case n < 17:
		p.tally(p.filter(rng))
	case n < 18:
		p.tally(p.filter(rng), p.filter(rng))
	case n < 19:
		p.tally(`{}`)
	case len(p.lives) < 12:
		p.hearken(p.filter(rng))
	}
}

// sync is one negentropy session.
func (p *player) sync(rng *rand.Rand) {
	filter, size := `{}`, []int{0, 4096}[rng.IntN(2)]
	if rng.IntN(2) == 0 {
		filter = p.filter(rng)
	}
	in, while := 2+rng.IntN(40), 20*time.Millisecond
	if rng.IntN(10) == 0 {
		while = 500 * time.Millisecond
	}
	p.negotiate(size, time.Duration(rng.Int64N(int64(while))), filter, func(i int) bool { return rng.IntN(in) > 0 })
}

// listen opens the player's first subscriptions, which stay.
func (p *player) listen() {
	topic := fmt.Sprintf(`{"#t":["topic%d"]}`, p.n%4)
	mixed := fmt.Sprintf(`{"kinds":[1,4,1059,21059],"#p":["%s","%s"]}`, p.s.players[0].keys[0].public, p.s.players[3].keys[0].public)
	for _, f := range []string{topic, mixed, `{"#t":["secret"]}`, `{}`} {
		p.hearken(f)
	}
	if !p.isStranger {
		p.hearken(fmt.Sprintf(`{"kinds":[4,1059,21059],"#p":["%s"]}`, p.keys[0].public))
	}
}

// hearken opens a subscription that stays, unless it is refused.
func (p *player) hearken(filter string) {
	q := p.talker.ask("REQ", "", filter)
	if p.answer(q, "REQ") != nil {
		p.s.ledger.end(&q.span)
		p.lives = append(p.lives, q)
	}
}

// settled waits until every subscription has been sent what it is owed, stored or live:
// all that was accepted, and that nothing has threatened since.
func (p *player) settled(late time.Time) {
	end := p.s.ledger.begin()
	p.s.ledger.end(&end)
	end.until = time.Now().Unix() + 1e6 // what expires may have done so on its way
	for _, q := range p.lives {
		for missing := p.owed(q, end); len(missing) > 0; missing = p.owed(q, end) {
			if time.Now().After(late) {
				p.s.complain("%s %s at %+v, EOSE after %d of %d, lacks %d: %v", q.id, q.filters, q.span, q.eose, len(q.events), len(missing), missing)
				break
			}
			<-time.After(20 * time.Millisecond)
		}
	}
}

// owed returns what a live subscription still has to be sent.
func (p *player) owed(q *inquiry, end span) (missing []string) {
	l := p.s.ledger
	l.mu.Lock()
	var due []*nostr.Event
	for _, x := range l.all {
		isPassing := x.Kind.IsEphemeral() && x.accepted > 0 && x.first > q.span.to && !l.threatened(x, end)
		if (isPassing || l.fate(x, end) == present) && x.visible(q.who.sure) {
			due = append(due, x.Event)
		}
	}
	l.mu.Unlock()
	due = nostrtest.OracleJSON(due, []byte(q.filters[0]))
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range due {
		if !q.seen[e.ID] && len(missing) < 5 {
			missing = append(missing, l.describe(e.ID))
		}
	}
	return missing
}

// lookAround asks for everything in every way, when nothing happens any more.
func (p *player) lookAround() {
	p.query(0, `{}`)
	p.tally(`{}`)
	p.negotiate(0, 0, `{}`, func(i int) bool { return i%20 > 0 })
	for _, f := range []string{`{"#t":["secret"]}`, `{"#t":["topic0","topic1"]}`, `{"kinds":[1,4,5,62,30023,10002]}`, fmt.Sprintf(`{"#p":["%s"]}`, p.keys[0].public)} {
		p.query(0, f)
		p.tally(f)
		p.negotiate(4096, 0, f, func(i int) bool { return i%2 > 0 })
	}
}
