package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/schnorr"
)

// world plays histories, one after the other, on one relay: each has keys and a
// range of time of its own.
type world struct {
	relay    *relay
	salt     string
	attempts int
	hints    int // EOSEs of the last history that said something
	// fire, when set, does harm to the relay. Then an event may be sent again inside
	// of it, be stored already, and be a duplicate of itself.
	fire func()
	// restless says that subscriptions may be registered anew at any time, because
	// monitors come and go.
	restless bool

	model  *nostrtest.Relay
	steps  map[int]step
	events map[int]*nostr.Event
	passed map[nostr.EventID]bool // ephemeral events that were accepted
	conns  []*speaker
	marks  int
}

// speaker is a connection in a history.
type speaker struct {
	*actor
	keys []nostr.PubKey
	subs []*listening
	got  map[string][]string // ids of the events that came, by subscription
}

// soon is when a passing event passes.
const soon = 2

// run plays a history. The error is what the relay did otherwise than the oracle.
func (w *world) run(steps []step) error {
	w.attempts++
	w.model = &nostrtest.Relay{Private: []nostr.Kind{4, 1059, 21059}}
	w.steps, w.events, w.conns, w.hints = map[int]step{}, map[int]*nostr.Event{}, nil, 0
	w.passed = map[nostr.EventID]bool{}
	for _, s := range steps {
		w.steps[s.n] = s
	}
	defer w.disconnect()
	if err := w.connect(); err != nil {
		return err
	}
	for i := 0; i < len(steps); {
		s := steps[i]
		var batch []*nostr.Event
		for i < len(steps) && steps[i].op == "publish" && steps[i].conn == s.conn && (w.fire == nil || len(batch) == 0) {
			batch = append(batch, w.event(steps[i].n))
			i++
		}
		var err error
		if len(batch) > 0 {
			err = w.publish(s.conn, batch...)
		} else {
			err = w.step(s)
			i++
		}
		if err != nil {
			return fmt.Errorf("%v\n%w", s, err)
		}
	}
	for i := range w.conns {
		if err := w.settle(i); err != nil {
			return fmt.Errorf("at the end: %w", err)
		}
	}
	return nil
}

// reread asks once more all that the last history has asked, on new connections.
func (w *world) reread(steps []step) error {
	defer w.disconnect()
	if err := w.connect(); err != nil {
		return err
	}
	for _, s := range steps {
		switch s.op {
		case "auth", "query", "count", "negentropy":
			if err := w.step(s); err != nil {
				return fmt.Errorf("%v\n%w", s, err)
			}
		}
	}
	return nil
}

// connect opens the connections of a history.
func (w *world) connect() error {
	w.conns = nil
	for range historyConns {
		a, err := newActor(w.relay.url)
		if err != nil {
			return err
		}
		c := &speaker{actor: a, got: map[string][]string{}}
		w.conns = append(w.conns, c)
		if _, err := c.until("AUTH", ""); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) disconnect() {
	for _, c := range w.conns {
		c.close()
	}
}

func (w *world) mark(conn int) string { return fmt.Sprint(w.salt, " ", w.attempts, " ", conn) }

// markFilter is what a subscription asks for beside what it is about, to be sent the
// marks of its connection.
func (w *world) markFilter(conn int) string {
	return fmt.Sprintf(`{"kinds":[20999],"#t":[%q],"limit":0}`, w.mark(conn))
}

func (w *world) secret(key int) [32]byte {
	return sha256.Sum256([]byte(fmt.Sprint(w.salt, " ", w.attempts, " key ", key)))
}

func (w *world) pubkey(key int) nostr.PubKey {
	secret := w.secret(key)
	pk, err := schnorr.PublicKey(&secret)
	if err != nil {
		panic(err)
	}
	return pk
}

var placeholder = regexp.MustCompile(`\$(e|k|t|soon|far|gone)(\d*)`)

func (w *world) fill(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(m string) string {
		parts := placeholder.FindStringSubmatch(m)
		n, _ := strconv.Atoi(parts[2])
		switch parts[1] {
		case "e":
			if _, there := w.steps[n]; !there {
				sum := sha256.Sum256([]byte(m))
				return hex.EncodeToString(sum[:])
			}
			return w.event(n).ID.String()
		case "k":
			return w.pubkey(n).String()
		case "t":
			return strconv.Itoa(w.second(n))
		case "soon":
			return strconv.FormatInt(time.Now().Unix()+soon, 10)
		case "far":
			return strconv.FormatInt(time.Now().Unix()+3600, 10)
		}
		return strconv.FormatInt(time.Now().Unix()-10, 10)
	})
}

// second is a second of the history; no other history on this relay has it.
func (w *world) second(n int) int { return 1_500_000_000 + 1000*w.attempts + n }

// event is that of a publishing step.
func (w *world) event(n int) *nostr.Event {
	if e := w.events[n]; e != nil {
		return e
	}
	s := w.steps[n]
	e := &nostr.Event{Kind: nostr.Kind(s.kind), CreatedAt: int64(w.second(s.at)), Content: fmt.Sprint("step ", n)}
	if err := json.Unmarshal([]byte(w.fill(s.text)), &e.Tags); err != nil {
		panic(fmt.Sprintf("%v: %v", s, err))
	}
	if err := nostrtest.Sign(e, w.secret(s.key)); err != nil {
		panic(err)
	}
	w.events[n] = e
	return e
}

func (w *world) step(s step) error {
	c := w.conns[s.conn]
	switch s.op {
	case "again":
		if _, there := w.steps[s.ref]; there {
			return w.publish(s.conn, w.event(s.ref))
		}
	case "auth":
		return w.authenticate(c, s.key)
	case "query", "subscribe":
		return w.query(c, s)
	case "unsubscribe":
		if len(c.subs) == 0 {
			return nil
		}
		if err := w.settle(s.conn); err != nil {
			return err
		}
		c.send(fmt.Sprintf(`["CLOSE",%q]`, c.subs[0].id))
		c.subs = c.subs[1:]
	case "count":
		return w.count(c, s)
	case "negentropy":
		return w.negotiate(c, s)
	case "fire":
		if w.fire != nil {
			w.fire()
		}
	case "wait":
		<-time.After((soon + 1) * time.Second)
	}
	return nil
}

// publish sends events, all of them before it waits for the first OK.
func (w *world) publish(conn int, events ...*nostr.Event) error {
	c := w.conns[conn]
	before := time.Now().Unix()
	for _, e := range events {
		c.send(`["EVENT",` + string(e.AppendJSON(nil)) + `]`)
	}
	answers := map[string][]json.RawMessage{}
	for len(answers) < len(events) {
		parts, err := c.until("OK", "")
		if err != nil {
			return err
		}
		answers[strings.Trim(string(parts[1]), `"`)] = parts
	}
	for _, e := range events {
		if err := w.judge(e, c.keys, before, answers[e.ID.String()]); err != nil {
			return err
		}
	}
	return nil
}

// judge compares the OK of an event with the oracle's, and tells every subscription
// what to expect.
func (w *world) judge(e *nostr.Event, keys []nostr.PubKey, now int64, ok []json.RawMessage) error {
	if ok == nil {
		return fmt.Errorf("%s has no OK", e.AppendJSON(nil))
	}
	var text string
	json.Unmarshal(ok[3], &text)
	prefix, _, _ := strings.Cut(text, ":")
	got := nostrtest.Answer{Accepted: string(ok[2]) == "true", Prefix: prefix}
	before := w.model.Stored()
	want := w.model.Event(e, keys, now)
	again := w.passed[e.ID] // an ephemeral event that comes twice need not be passed on twice
	if (again || w.fire != nil && want.Prefix == "") && got.Accepted {
		got.Prefix = ""
	}
	if got != want {
		return fmt.Errorf("%s: OK %v %q, want %+v", e.AppendJSON(nil), got.Accepted, text, want)
	}
	if !want.Accepted || want.Prefix == "duplicate" {
		return nil
	}
	w.passed[e.ID] = e.Kind.IsEphemeral()
	removed := w.removed(before)
	for _, c := range w.conns {
		for _, l := range c.subs {
			if !l.certain {
				l.remove(removed)
			}
			switch {
			case again:
				l.may = append(l.may, e.ID.String())
			case !w.model.Matches(e, c.keys, now, l.filters...):
				if w.model.Matches(e, w.everybody(), now, l.filters...) {
					l.may = append(l.may, e.ID.String()) // should the connection authenticate soon
				}
			case strings.Contains(fmt.Sprint(e.Tags), "expiration"):
				l.may = append(l.may, e.ID.String()) // it may expire on its way
			default:
				l.must = append(l.must, e.ID.String())
			}
		}
	}
	return nil
}

// removed returns the ids of before that are not stored any more.
func (w *world) removed(before []nostr.EventID) (ids []string) {
	now := w.model.Stored()
	for _, id := range before {
		if !slices.Contains(now, id) {
			ids = append(ids, id.String())
		}
	}
	return ids
}

func (w *world) everybody() (keys []nostr.PubKey) {
	for k := range historyKeys {
		keys = append(keys, w.pubkey(k))
	}
	return keys
}

func (w *world) authenticate(c *speaker, key int) error {
	host := strings.TrimPrefix(w.relay.url, "ws://")
	e := &nostr.Event{Kind: 22242, CreatedAt: time.Now().Unix(), Tags: []nostr.Tag{{"relay", "ws://" + host}, {"challenge", c.challenge}}}
	if err := nostrtest.Sign(e, w.secret(key)); err != nil {
		return err
	}
	c.send(`["AUTH",` + string(e.AppendJSON(nil)) + `]`)
	parts, err := c.until("OK", e.ID.String())
	if err != nil {
		return err
	}
	if string(parts[2]) != "true" {
		return fmt.Errorf("AUTH: %s", parts)
	}
	for _, l := range c.subs {
		l.certain = false
	}
	if !slices.Contains(c.keys, e.PubKey) {
		c.keys = append(c.keys, e.PubKey)
	}
	return nil
}

func idStrings(events []*nostr.Event) (ids []string) {
	for _, e := range events {
		ids = append(ids, e.ID.String())
	}
	return ids
}

// names calls events by their steps.
func (w *world) names(ids []string) []string {
	var names []string
	for _, id := range ids {
		name := id
		for n, e := range w.events {
			if e.ID.String() == id {
				name = fmt.Sprint("$e", n)
			}
		}
		names = append(names, name)
	}
	return names
}
