package e2e

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"rhea/proto/negentropy"
	"rhea/proto/nostr"
)

// query is a REQ that is closed after EOSE; limit is added to its filter, if there is
// one, when it is above 0.
func (c *talker) query(limit int, filters ...string) (found int) {
	who, asked := c.reader(), filters
	if limit > 0 {
		asked = []string{strings.TrimSuffix(filters[0], "}") + fmt.Sprintf(`,"limit":%d}`, limit)}
		asked[0] = strings.Replace(asked[0], "{,", "{", 1)
	}
	q := c.ask("REQ", "", asked...)
	parts := c.answer(q, "REQ")
	if parts == nil {
		return 0
	}
	c.s.ledger.end(&q.span)
	c.say(`["CLOSE","%s"]`, q.id)
	c.s.count("REQ", "")
	c.mu.Lock()
	got := slices.Clone(q.events[:q.eose])
	c.mu.Unlock()
	hint := ""
	if len(parts) > 2 {
		hint = strings.Trim(string(parts[2]), `[]"`)
	}
	if limit == 0 && hint == "more" {
		c.s.complain("%s %s: there is more, it says, after %d events", q.id, asked, len(got))
	}
	must, may := c.s.ledger.stored(q.span, c.asWas(who), filters...)
	if limit > 0 && len(got) > limit {
		c.s.complain("%s %s has %d events", q.id, asked, len(got))
	}
	if limit > 0 && len(got) == limit && hint != "finish" {
		last := c.s.ledger.get(got[limit-1])
		must = slices.DeleteFunc(must, func(e *nostr.Event) bool { return newer(last.Event, e) })
	}
	c.compare(q, got, must, may, true)
	return len(got)
}

// asWas is a reader that was who when it asked; keys may have been added since.
func (c *talker) asWas(who reader) reader { return reader{who.sure, c.reader().maybe} }

func newer(a, b *nostr.Event) bool {
	if a.CreatedAt != b.CreatedAt {
		return a.CreatedAt > b.CreatedAt
	}
	return a.ID.Compare(b.ID) < 0
}

// compare demands that got has all of must and nothing beyond may.
func (c *talker) compare(q *inquiry, got []nostr.EventID, must, may []*nostr.Event, ordered bool) {
	allowed, there := map[nostr.EventID]*nostr.Event{}, map[nostr.EventID]bool{}
	for _, e := range may {
		allowed[e.ID] = e
	}
	var last *nostr.Event
	for _, id := range got {
		there[id] = true
		e := allowed[id]
		if e == nil {
			c.s.complain("%s %s at %+v: %s should not be there", q.id, q.filters, q.span, c.s.ledger.describe(id))
			continue
		}
		if ordered && last != nil && !newer(last, e) {
			c.s.complain("%s %s: %s is out of order", q.id, q.filters, id)
		}
		last = e
	}
	for _, e := range must {
		if !there[e.ID] {
			c.s.complain("%s %s at %+v, %d events: %s is missing", q.id, q.filters, q.span, len(got), c.s.ledger.describe(e.ID))
		}
	}
}

// tally is a COUNT.
func (c *talker) tally(filters ...string) {
	who := c.reader()
	q := c.ask("COUNT", "", filters...)
	parts := c.answer(q, "COUNT")
	if parts == nil {
		return
	}
	c.s.ledger.end(&q.span)
	c.s.count("COUNT", "")
	var got struct {
		Count *int
		HLL   string
	}
	if err := json.Unmarshal(parts[2], &got); err != nil || got.Count == nil {
		c.s.complain("%s: %s", q.id, parts)
		return
	}
	must, may := c.s.ledger.stored(q.span, c.asWas(who), filters...)
	if *got.Count < len(must) || *got.Count > len(may) {
		c.s.complain("%s %s at %+v: %d are counted, want %d to %d", q.id, filters, q.span, *got.Count, len(must), len(may))
	}
	parsed, err := nostr.ParseFilters([]byte(filters[0]), nostr.FilterLimits{})
	offset := 0
	if err == nil && len(filters) == 1 {
		offset = parsed[0].HLLOffset()
	}
	registers, err := hex.DecodeString(got.HLL)
	if err != nil || offset == 0 && got.HLL != "" || offset != 0 && len(registers) != 256 {
		c.s.complain("%s %s: hll %q", q.id, filters, got.HLL)
		return
	}
	var low, high nostr.Registers
	for _, e := range must {
		low.Add(e.PubKey, offset)
	}
	for _, e := range may {
		high.Add(e.PubKey, offset)
	}
	for i, r := range registers {
		if r < low[i] || r > high[i] {
			c.s.complain("%s %s at %+v: hll register %d is %d, want %d to %d", q.id, filters, q.span, i, r, low[i], high[i])
			return
		}
	}
}

// negotiate is a whole negentropy session of a client that has some of the events, and
// says whether it came to its end. Between the first turns it waits for a while.
func (c *talker) negotiate(size int, while time.Duration, filter string, has func(i int) bool) bool {
	l, who := c.s.ledger, c.reader()
	before := l.begin()
	l.end(&before)
	_, known := l.stored(before, who, filter)
	var mine []negentropy.Item
	for i, e := range known {
		if has(i) {
			mine = append(mine, negentropy.Item{CreatedAt: e.CreatedAt, ID: e.ID})
		}
	}
	slices.SortFunc(mine, negentropy.Item.Compare)
	n := negentropy.NewClient(negentropy.NewSlice(mine), size)
	q := c.ask("NEG-OPEN", fmt.Sprintf(`,"%x"`, n.Open()), filter)
	done := false
	for turn := 0; !done; turn++ {
		parts := c.answer(q, "NEG")
		if parts == nil {
			return false
		}
		if turn == 0 {
			l.end(&q.span)
		}
		var text string
		json.Unmarshal(parts[2], &text)
		msg, err := hex.DecodeString(text)
		var next []byte
		if err == nil {
			next, done, err = n.Next(nil, msg)
		}
		if err != nil {
			c.s.complain("%s %s, turn %d: %v", q.id, filter, turn, err)
			return false
		}
		if !done {
			c.s.count("NEG-MSG", "")
			if turn < 2 {
				<-time.After(while)
			}
			c.say(`["NEG-MSG","%s","%x"]`, q.id, next)
		}
	}
	c.say(`["NEG-CLOSE","%s"]`, q.id)
	c.s.count("NEG", "")
	c.settle(q, who, filter, mine, n)
	return true
}

// settle checks the set that a session has shown.
func (c *talker) settle(q *inquiry, who reader, filter string, mine []negentropy.Item, n *negentropy.Client) {
	set := map[nostr.EventID]bool{}
	for _, i := range mine {
		set[i.ID] = true
	}
	for _, id := range n.Have {
		delete(set, id)
	}
	for _, id := range n.Need {
		set[id] = true
	}
	must, may := c.s.ledger.stored(q.span, c.asWas(who), filter)
	var got []nostr.EventID
	hidden := map[nostr.EventID]bool{}
	if filter == "{}" || strings.HasPrefix(filter, `{"since"`) { // these are answered from the tree
		hidden = c.s.ledger.hidden(q.span, c.asWas(who))
	}
	for id := range set {
		if !hidden[id] {
			got = append(got, id)
		} else if c.s.isQuiet.Load() {
			c.s.lingering.Add(1)
		}
	}
	c.compare(q, got, must, may, false)
}
