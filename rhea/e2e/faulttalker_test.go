package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
)

// talker is a connection on which several goroutines ask at once, and which holds the
// relay to one answer for each question and to nothing that this reader may not see.
type talker struct {
	*actor
	s        *siege
	wmu      sync.Mutex
	leaving  atomic.Bool
	greeted  chan struct{} // closed when there is a challenge
	over     chan struct{}
	mu       sync.Mutex
	oks      map[string][]chan ok
	asked    map[string]*inquiry
	who      reader
	inquired int
}

// inquiry is a REQ, a COUNT or a negentropy session, and what came of it.
type inquiry struct {
	id      string
	filters []string
	verbs   []string // which answer it
	frames  chan []json.RawMessage
	who     reader

	// Guarded by the talker's lock.
	span    span
	events  []nostr.EventID
	seen    map[nostr.EventID]bool
	answers int
	eose    int // events before it, -1 while it has not come
}

func talk(s *siege) (*talker, error) {
	a, err := newActor(s.url)
	if err != nil {
		return nil, err
	}
	c := &talker{actor: a, s: s, greeted: make(chan struct{}), over: make(chan struct{}), oks: map[string][]chan ok{}, asked: map[string]*inquiry{}}
	go c.listen()
	select {
	case <-c.greeted:
	case <-time.After(patience):
		c.hangUp()
		return nil, errors.New("no challenge")
	}
	return c, nil
}

func (c *talker) hangUp() {
	c.leaving.Store(true)
	c.actor.close()
	<-c.over
}

func (c *talker) say(format string, args ...any) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.conn.SetWriteDeadline(time.Now().Add(patience))
	if err := c.actor.send(fmt.Sprintf(format, args...)); err != nil {
		c.s.complain("a frame cannot be sent: %v", err)
	}
	c.conn.SetWriteDeadline(time.Time{})
}

func (c *talker) listen() {
	defer close(c.over)
	for text := range c.frames {
		var parts []json.RawMessage
		if json.Unmarshal([]byte(text), &parts) != nil || len(parts) < 2 {
			if !c.leaving.Load() {
				c.s.complain("the connection: %s", text)
			}
			continue
		}
		c.hear(text, parts)
	}
}

// hear puts a frame where it belongs.
func (c *talker) hear(text string, parts []json.RawMessage) {
	var verb, id string
	json.Unmarshal(parts[0], &verb)
	json.Unmarshal(parts[1], &id)
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.asked[id]
	switch {
	case verb == "AUTH":
		if c.challenge == "" {
			close(c.greeted)
		}
		c.challenge = id
	case verb == "OK" && len(parts) == 4 && len(c.oks[id]) > 0:
		var why string
		json.Unmarshal(parts[3], &why)
		c.oks[id][0] <- ok{string(parts[2]) == "true", why}
		c.oks[id] = c.oks[id][1:]
	case verb == "EVENT" && q != nil && len(parts) == 3:
		c.deliver(q, parts[2])
	case q != nil && slices.Contains(q.verbs, verb):
		if q.answers++; q.answers > 1 && !c.leaving.Load() && !strings.HasPrefix(verb, "NEG-") {
			c.s.complain("%s %s: another answer: %s", q.id, q.filters, text)
			return
		}
		if verb == "EOSE" {
			q.eose = len(q.events)
		}
		select {
		case q.frames <- parts:
		default:
			c.s.complain("%s: more answers than questions: %s", q.id, text)
		}
	default:
		c.s.complain("nobody asked for %.300s", text)
	}
}

// deliver judges an event that a subscription is sent.
func (c *talker) deliver(q *inquiry, raw []byte) {
	var e struct{ ID nostrID }
	json.Unmarshal(raw, &e)
	x := c.s.ledger.get(nostr.EventID(e.ID))
	if x == nil {
		c.s.complain("%s was sent what nobody sent: %s", q.id, raw)
		return
	}
	if q.seen[x.ID] {
		c.s.complain("%s %s was sent %s (kind %d) twice, the second time as event %d, EOSE after %d", q.id, q.filters, x.ID, x.Kind, len(q.events), q.eose)
	}
	q.seen[x.ID] = true
	way, sort := "EVENT, stored", "public"
	if q.eose >= 0 {
		way = "EVENT, live"
	}
	if x.isPrivate() {
		sort = "private"
	}
	c.s.count(way, sort)
	q.events = append(q.events, x.ID)
	if !x.visible(c.who.maybe) {
		c.s.complain("%s %s: a stranger was sent a private event (EOSE after %d of %d): %s", q.id, q.filters, q.eose, len(q.events), raw)
	}
	l := c.s.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	s := q.span
	s.to = l.tick + 1
	gone := l.fate(x, s) == absent
	if x.Kind.IsEphemeral() {
		gone = q.eose < 0 || x.accepted > 0 && x.accepted < s.from || l.removed(x, s) != nil
	}
	if gone {
		c.s.complain("%s %s was sent what was gone or never there before it was asked (EOSE after %d of %d, removed by %v): %s",
			q.id, q.filters, q.eose, len(q.events), l.removed(x, s), raw)
	}
}

// nostrID reads an id in JSON.
type nostrID nostr.EventID

func (id *nostrID) UnmarshalJSON(b []byte) error {
	v, err := nostr.ParseEventID(strings.Trim(string(b), `"`))
	*id = nostrID(v)
	return err
}

func (c *talker) reader() reader {
	c.mu.Lock()
	defer c.mu.Unlock()
	return reader{slices.Clone(c.who.sure), slices.Clone(c.who.maybe)}
}

// okOf sends a frame that is answered by an OK.
func (c *talker) okOf(verb string, e *nostr.Event) <-chan ok {
	w := make(chan ok, 1)
	c.mu.Lock()
	c.oks[e.ID.String()] = append(c.oks[e.ID.String()], w)
	c.mu.Unlock()
	c.say(`["%s",%s]`, verb, e.AppendJSON(nil))
	return w
}

// publish sends events, all of them before it waits for the first OK, and says which
// were accepted.
func (c *talker) publish(events ...*entry) (accepted []bool) {
	l, who := c.s.ledger, c.reader()
	spans, answers, were := make([]span, len(events)), make([]<-chan ok, len(events)), make([]bool, len(events))
	for i, x := range events {
		spans[i] = l.begin()
		l.mu.Lock()
		were[i] = x.accepted > 0
		l.mu.Unlock()
		l.sending(x)
		answers[i] = c.okOf("EVENT", x.Event)
	}
	for i, x := range events {
		o, came := c.await(answers[i])
		if !came {
			c.s.complain("no OK for %s", x.AppendJSON(nil))
		}
		l.answered(x, o)
		l.end(&spans[i])
		if why := l.judge(x, spans[i], who, were[i], o); came && why != "" {
			c.s.complain("OK %v %q: %s; at %+v, stored before: %v; %s; %s", o.accepted, o.text, why, spans[i], were[i], l.describe(x.ID), x.AppendJSON(nil))
		}
		c.s.count("OK", o.text)
		accepted = append(accepted, o.accepted)
	}
	return accepted
}

func (c *talker) await(w <-chan ok) (ok, bool) {
	select {
	case o := <-w:
		return o, true
	case <-c.over:
	case <-time.After(patience):
	}
	return ok{false, "error: nothing came"}, false
}

// authenticate proves a key, or, if it lies, tries to with another relay's challenge.
func (c *talker) authenticate(secret [32]byte, lie bool) bool {
	c.mu.Lock()
	challenge := c.challenge
	c.mu.Unlock()
	if lie {
		challenge = "another relay's"
	}
	e := &nostr.Event{Kind: 22242, CreatedAt: time.Now().Unix(), Tags: []nostr.Tag{{"relay", c.s.url}, {"challenge", challenge}}}
	if err := nostrtest.Sign(e, secret); err != nil {
		panic(err)
	}
	if !lie && !slices.Contains(c.reader().maybe, e.PubKey) {
		c.mu.Lock()
		c.who.maybe = append(c.who.maybe, e.PubKey)
		c.mu.Unlock()
	}
	o, came := c.await(c.okOf("AUTH", e))
	failed := strings.HasPrefix(o.text, "error:")
	if !came || !failed && o.accepted == lie {
		c.s.complain("AUTH, a lie: %v: OK %v %q (%v)", lie, o.accepted, o.text, came)
	}
	if o.accepted && !slices.Contains(c.reader().sure, e.PubKey) {
		c.mu.Lock()
		c.who.sure = append(c.who.sure, e.PubKey)
		c.mu.Unlock()
	}
	c.s.count("AUTH", o.text)
	return o.accepted
}

// ask begins a REQ, COUNT or NEG-OPEN; rest stands behind the filters.
func (c *talker) ask(verb, rest string, filters ...string) *inquiry {
	q := &inquiry{filters: filters, who: c.reader(), frames: make(chan []json.RawMessage, 4), seen: map[nostr.EventID]bool{}, eose: -1, span: c.s.ledger.begin()}
	q.verbs = map[string][]string{"REQ": {"EOSE", "CLOSED"}, "COUNT": {"COUNT", "CLOSED"}, "NEG-OPEN": {"NEG-MSG", "NEG-ERR"}}[verb]
	c.mu.Lock()
	c.inquired++
	q.id = fmt.Sprint(strings.ToLower(verb), c.inquired)
	c.asked[q.id] = q
	c.mu.Unlock()
	c.say(`["%s","%s",%s%s]`, verb, q.id, strings.Join(filters, ","), rest)
	return q
}

// answer waits for the next frame that answers q; it is nil after a refusal.
func (c *talker) answer(q *inquiry, verb string) []json.RawMessage {
	select {
	case parts := <-q.frames:
		var got, why string
		json.Unmarshal(parts[0], &got)
		most := refusal(c.reader().maybe, q.filters)
		if got != "CLOSED" && got != "NEG-ERR" {
			if most != "" {
				c.s.complain("%s %s is answered; want it refused: %s", q.id, q.filters, most)
			}
			return parts
		}
		json.Unmarshal(parts[2], &why)
		c.s.count(verb, why)
		prefix, _, _ := strings.Cut(why, ":")
		if prefix == "error" && c.s.isQuiet.Load() {
			c.s.complain("%s %s is refused when all is quiet: %s", q.id, q.filters, why)
		}
		if prefix != "error" && prefix != most && prefix != refusal(q.who.sure, q.filters) && (prefix != "closed" || verb != "NEG") {
			c.s.complain("%s %s is refused: %s", q.id, q.filters, why)
		}
	case <-c.over:
	case <-time.After(patience):
		c.s.complain("%s %s is not answered", q.id, q.filters)
	}
	return nil
}

// refusal is the prefix with which filters are refused to one with these keys.
func refusal(keys []nostr.PubKey, filters []string) string {
	relay := nostrtest.Relay{Private: []nostr.Kind{4, 1059, 21059}}
	var texts [][]byte
	for _, f := range filters {
		texts = append(texts, []byte(f))
	}
	return relay.Refuses(keys, texts...)
}
