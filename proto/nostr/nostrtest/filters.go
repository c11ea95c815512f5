package nostrtest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"

	"rhea/proto/nostr"
)

// FilterGen makes random filters out of the values of given events, so that
// most of them find something and many find it barely. It belongs to one
// goroutine.
type FilterGen struct {
	rng    *rand.Rand
	events []*nostr.Event
}

// NewFilterGen returns a generator whose filters depend on the seed and the
// events, of which there must be at least one.
func NewFilterGen(seed uint64, events []*nostr.Event) *FilterGen {
	return &FilterGen{rand.New(rand.NewPCG(seed, 0)), events}
}

// Filters returns the filters of one REQ, mostly one, at most four.
func (g *FilterGen) Filters() []nostr.Filter {
	n := 1
	for n < 4 && g.one(4) {
		n++
	}
	filters := make([]nostr.Filter, n)
	for i := range filters {
		filters[i] = g.Filter()
	}
	return filters
}

// Filter returns a filter.
func (g *FilterGen) Filter() nostr.Filter {
	text := g.JSON()
	f, err := nostr.ParseFilter(text, nostr.FilterLimits{})
	if err != nil {
		panic(fmt.Sprintf("nostrtest: filter %s: %v", text, err))
	}
	return f
}

// JSON returns a filter as a client might write it: any combination of
// conditions, from one or a few events or from anywhere, now and then with an
// empty list, repetitions, values that match nothing and unknown fields.
func (g *FilterGen) JSON() []byte {
	var members []string
	add := func(key string, value any) {
		b, err := json.Marshal(value)
		if err != nil {
			panic(err)
		}
		members = append(members, fmt.Sprintf("%q:%s", key, b))
	}
	anchors := g.anchors()
	a := anchors[0]
	if g.one(8) {
		add("ids", g.list(anchors, func(e *nostr.Event) (any, bool) { return e.ID.String(), true }))
	}
	if g.one(3) {
		add("authors", g.list(anchors, func(e *nostr.Event) (any, bool) { return e.PubKey.String(), true }))
	}
	if g.one(2) {
		kinds := g.list(anchors, func(e *nostr.Event) (any, bool) { return e.Kind, true })
		if g.one(20) {
			kinds = append(kinds, 65536, -1)
		}
		add("kinds", kinds)
	}
	names := map[string]bool{}
	for range 3 {
		if name := g.tagName(a); name != "" && !names[name] && g.one(3) {
			names[name] = true
			add("#"+name, g.list(anchors, func(e *nostr.Event) (any, bool) { return g.tagValue(e, name) }))
		}
	}
	if g.one(4) {
		add("since", a.CreatedAt+g.shift())
	}
	if g.one(4) {
		add("until", a.CreatedAt+g.shift())
	}
	if g.one(3) {
		add("limit", []int{0, 1, 2, 3, 10, 100, 500}[g.rng.IntN(7)])
	}
	if g.one(10) {
		add("search", map[string]any{"unknown": []int{1}})
	}
	g.rng.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return []byte("{" + strings.Join(members, ",") + "}")
}

func (g *FilterGen) one(in int) bool { return g.rng.IntN(in) == 0 }

func (g *FilterGen) any() *nostr.Event { return g.events[g.rng.IntN(len(g.events))] }

// anchors returns the events that a filter is made for: one, a few, or, to
// test long lists, many.
func (g *FilterGen) anchors() []*nostr.Event {
	n := 1
	switch {
	case g.one(20):
		n = 300
	case g.one(2):
		n = 2 + g.rng.IntN(10)
	}
	anchors := make([]*nostr.Event, n)
	for i := range anchors {
		anchors[i] = g.any()
	}
	return anchors
}

// list takes a value from each of the events, spoilt in rare ways.
func (g *FilterGen) list(events []*nostr.Event, value func(*nostr.Event) (any, bool)) []any {
	list := []any{}
	if g.one(50) {
		return list
	}
	if g.one(20) {
		events = []*nostr.Event{g.any()}
	}
	for _, e := range events {
		if v, ok := value(e); ok {
			list = append(list, v)
		}
	}
	if len(list) > 0 && g.one(10) {
		list = append(list, list[g.rng.IntN(len(list))])
	}
	return list
}

// tagName returns the name of an indexed tag of e, "" if it has none.
func (g *FilterGen) tagName(e *nostr.Event) string {
	for range 4 {
		if len(e.Tags) == 0 {
			return ""
		}
		tag := e.Tags[g.rng.IntN(len(e.Tags))]
		if len(tag) > 1 && len(tag[0]) == 1 && strings.Contains(letters, tag[0]) {
			return tag[0]
		}
	}
	return ""
}

// tagValue returns the value of a tag of e that a filter may ask for.
func (g *FilterGen) tagValue(e *nostr.Event, name string) (any, bool) {
	var values []any
	for _, tag := range e.Tags {
		if len(tag) < 2 || tag[0] != name {
			continue
		}
		if _, packed := nostr.NewTagValue(tag[1]).Packed(); packed || name != "e" && name != "p" {
			values = append(values, tag[1])
		}
	}
	if len(values) == 0 {
		return nil, false
	}
	return values[g.rng.IntN(len(values))], true
}

// shift is the distance of a since or until from an event: often none at all.
func (g *FilterGen) shift() int64 {
	size := []int64{1, 2, 60, 86400, 365 * 86400}[g.rng.IntN(5)]
	return g.rng.Int64N(2*size-1) - (size - 1)
}
