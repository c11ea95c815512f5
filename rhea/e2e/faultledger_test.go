package e2e

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
)

// ledger is what several clients of a relay know of its events, taken together:
// what was sent, what was acknowledged, and what removes what. Of each event it can
// say that it must be found, that it must not, or neither: an answer `error:` leaves
// open what has become of an event, for ever, and so does a removal that is under
// way. It is safe for concurrent use.
//
// Time is counted in ticks. What was acknowledged at a tick before that of a question
// is what the relay had to know when it was asked.
type ledger struct {
	mu       sync.Mutex
	tick     int
	entries  map[nostr.EventID]*entry
	all      []*entry
	removers []*entry
}

// entry is an event and what became of it. Its ledger's lock guards what changes.
type entry struct {
	*nostr.Event
	parties []nostr.PubKey
	address string // of what newer versions replace, "" of anything else
	expires int64  // 0: never

	first, last int // when it was sent for the first and the last time; 0: it was not
	unanswered  int // copies on their way
	doubtful    bool
	accepted    int      // when the first OK true came
	refused     int      // when the last OK false came
	removers    []*entry // events that remove this one if they are accepted
}

// span is the time of a question, from before it was sent until it was answered, in
// ticks and in seconds.
type span struct {
	from, to     int
	since, until int64
}

func newLedger() *ledger { return &ledger{entries: map[nostr.EventID]*entry{}} }

func (l *ledger) begin() span {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tick++
	return span{from: l.tick, since: time.Now().Unix()}
}

func (l *ledger) end(s *span) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tick++
	s.to, s.until = l.tick, time.Now().Unix()
}

// add enters an event that is going to be sent.
func (l *ledger) add(e *nostr.Event) *entry {
	x := &entry{Event: e, parties: append([]nostr.PubKey{e.PubKey}, named(e, "p")...)}
	if exp := valuesOf(e, "expiration"); len(exp) > 0 {
		x.expires, _ = strconv.ParseInt(exp[0], 10, 64)
	}
	switch {
	case e.Kind.IsReplaceable():
		x.address = fmt.Sprintf("%d:%s:", e.Kind, e.PubKey)
	case e.Kind.IsAddressable():
		x.address = fmt.Sprintf("%d:%s:%s", e.Kind, e.PubKey, valuesOf(e, "d")[0])
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.removers {
		if r.removes(x) {
			x.removers = append(x.removers, r)
		}
	}
	if x.address != "" || e.Kind == 5 || e.Kind == 62 {
		for _, y := range l.all {
			if x.removes(y) {
				y.removers = append(y.removers, x)
			}
		}
		l.removers = append(l.removers, x)
	}
	l.entries[e.ID] = x
	l.all = append(l.all, x)
	return x
}

// removes says what x does to y once it is accepted: NIP-01 (newer versions), NIP-09
// and NIP-59 (deletion), NIP-62 (vanishing).
func (x *entry) removes(y *entry) bool {
	if y.Kind == 62 {
		return false
	}
	wrapped := y.Kind == 1059 && slices.Contains(y.parties, x.PubKey)
	switch {
	case x.Kind == 62:
		return (x.PubKey == y.PubKey || wrapped) && y.CreatedAt <= x.CreatedAt
	case x.Kind == 5 && y.Kind == 5:
		return false
	case x.Kind == 5:
		return (x.PubKey == y.PubKey || wrapped) && slices.Contains(valuesOf(x.Event, "e"), y.ID.String()) ||
			x.PubKey == y.PubKey && y.address != "" && y.CreatedAt <= x.CreatedAt && slices.Contains(valuesOf(x.Event, "a"), y.address)
	}
	return x.address != "" && x.address == y.address &&
		(x.CreatedAt > y.CreatedAt || x.CreatedAt == y.CreatedAt && bytes.Compare(x.ID[:], y.ID[:]) < 0)
}

func (l *ledger) sending(x *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tick++
	if x.last = l.tick; x.first == 0 {
		x.first = l.tick
	}
	x.unanswered++
}

func (l *ledger) answered(x *entry, o ok) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tick++
	x.unanswered--
	switch {
	case o.accepted && x.accepted == 0:
		x.accepted = l.tick
	case strings.HasPrefix(o.text, "error:"):
		x.doubtful = true
	case !o.accepted:
		x.refused = l.tick
	}
}

// fate is what may be said of an event.
type fate int

const (
	open fate = iota
	present
	absent
)

// fate is that of x as an answer given during s has to show it among what is stored.
func (l *ledger) fate(x *entry, s span) fate {
	switch {
	case x.first == 0 || x.first > s.to || x.Kind.IsEphemeral() || l.removed(x, s) != nil || x.expired(s.since):
		return absent
	case x.accepted == 0 && !x.doubtful && x.unanswered == 0 && max(x.last, x.refused) < s.from:
		return absent // every copy was refused
	case x.accepted == 0 || x.accepted > s.from || x.expired(s.until) || l.threatened(x, s):
		return open
	}
	return present
}

// removed returns what had removed x before s.
func (l *ledger) removed(x *entry, s span) *entry {
	for _, r := range x.removers {
		if r.accepted > 0 && r.accepted < s.from {
			return r
		}
	}
	return nil
}

// threatened says whether something may have removed x before the end of s.
func (l *ledger) threatened(x *entry, s span) bool {
	return slices.ContainsFunc(x.removers, func(r *entry) bool { return r.first > 0 && r.first < s.to })
}

// isHidden says whether x may be in the tree of negentropy because what removes it is
// a request to vanish: the tree forgets it when the store has.
func (l *ledger) isHidden(x *entry, s span) bool {
	vanishes := false
	for _, r := range x.removers {
		if r.Kind != 62 && r.accepted > 0 && r.accepted < s.from {
			return false
		}
		vanishes = vanishes || r.Kind == 62 && r.first > 0 && r.first < s.to
	}
	return vanishes && x.first > 0 && !x.Kind.IsEphemeral() && !x.expired(s.since)
}

// expired says whether x has expired at a time.
func (x *entry) expired(now int64) bool {
	return x.expires != 0 && x.expires <= now && !x.Kind.IsEphemeral()
}

// isPrivate says whether x is for its parties only.
func (x *entry) isPrivate() bool { return x.Kind == 4 || x.Kind == 1059 || x.Kind == 21059 }

// visible says whether one with these keys may see x.
func (x *entry) visible(keys []nostr.PubKey) bool {
	return !x.isPrivate() || slices.ContainsFunc(keys, func(k nostr.PubKey) bool { return slices.Contains(x.parties, k) })
}

// describe tells all that is known of an event.
func (l *ledger) describe(id nostr.EventID) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.entries[id]
	if x == nil {
		return id.String()
	}
	text := x.String()
	for _, r := range x.removers {
		text += fmt.Sprintf(", removed by %v", r)
	}
	return text
}

// String is for messages; the ledger is locked.
func (x *entry) String() string {
	return fmt.Sprintf("%.12s (kind %d, sent %d to %d, %d unanswered, accepted %d, refused %d, doubtful %v, expires %d)",
		x.ID, x.Kind, x.first, x.last, x.unanswered, x.accepted, x.refused, x.doubtful, x.expires)
}

func (l *ledger) get(id nostr.EventID) *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entries[id]
}

// reader is who asks: the keys that are authenticated for certain, and those that may
// be, which are more while an AUTH is unanswered.
type reader struct{ sure, maybe []nostr.PubKey }

// stored returns what an answer given during s has to have, and what it may have, of
// filters without limits. Both are in the order of a REQ.
func (l *ledger) stored(s span, r reader, filters ...string) (must, may []*nostr.Event) {
	l.mu.Lock()
	var candidates []*nostr.Event
	certain := map[nostr.EventID]bool{}
	for _, x := range l.all {
		f := l.fate(x, s)
		if f == absent || !x.visible(r.maybe) {
			continue
		}
		candidates = append(candidates, x.Event)
		certain[x.ID] = f == present && x.visible(r.sure)
	}
	l.mu.Unlock()
	var texts [][]byte
	for _, f := range filters {
		texts = append(texts, []byte(f))
	}
	may = nostrtest.OracleJSON(candidates, texts...)
	for _, e := range may {
		if certain[e.ID] {
			must = append(must, e)
		}
	}
	return must, may
}

// hidden returns what the tree of negentropy may hold besides.
func (l *ledger) hidden(s span, r reader) map[nostr.EventID]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := map[nostr.EventID]bool{}
	for _, x := range l.all {
		if l.isHidden(x, s) && x.visible(r.maybe) {
			ids[x.ID] = true
		}
	}
	return ids
}

// judge says what is wrong with the answer to x, which was sent by one with these
// keys, "" if nothing is.
func (l *ledger) judge(x *entry, s span, r reader, wasStored bool, o ok) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	prefix, _, _ := strings.Cut(o.text, ":")
	if o.accepted && prefix != "" && prefix != "duplicate" {
		return "OK true with a strange prefix"
	}
	want := func(prefixes ...string) string {
		if o.accepted || !slices.Contains(prefixes, prefix) {
			return fmt.Sprintf("want it refused: %s", prefixes)
		}
		return ""
	}
	protected := len(x.Tags) > 0 && slices.ContainsFunc(x.Tags, func(t nostr.Tag) bool { return t[0] == "-" })
	switch {
	case prefix == "error":
		return ""
	case x.expired(s.since):
		return want("invalid", "auth-required", "restricted")
	case x.expired(s.until) && prefix == "invalid":
		return ""
	case protected && len(r.maybe) == 0:
		return want("auth-required")
	case protected && !slices.Contains(r.maybe, x.PubKey):
		return want("restricted")
	case protected && !slices.Contains(r.sure, x.PubKey) && prefix == "restricted":
		return ""
	case l.removed(x, s) != nil:
		return want("blocked", "replaced")
	case l.threatened(x, s):
		if !o.accepted {
			return want("blocked", "replaced")
		}
	case !o.accepted:
		return "want it accepted"
	case wasStored && prefix != "duplicate" && !x.Kind.IsEphemeral() && !x.expired(s.until):
		return "want duplicate:"
	}
	return ""
}

// valuesOf returns the first value of each tag of a name.
func valuesOf(e *nostr.Event, name string) (list []string) {
	for _, tag := range e.Tags {
		if tag[0] == name && len(tag) > 1 {
			list = append(list, tag[1])
		}
	}
	return list
}

// named returns the keys in an event's tags of a name.
func named(e *nostr.Event, name string) (keys []nostr.PubKey) {
	for _, v := range valuesOf(e, name) {
		if k, err := nostr.ParsePubKey(v); err == nil {
			keys = append(keys, k)
		}
	}
	return keys
}
