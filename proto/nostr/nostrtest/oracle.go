package nostrtest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rhea/proto/nostr"
)

// Oracle returns what a REQ with these filters must get from a relay that
// holds exactly these events: created_at descending, id ascending, no event
// twice, the limit per filter (NIP-01). It is as naive as can be and shares no
// code with nostr's own matching.
func Oracle(events []*nostr.Event, filters []nostr.Filter) []*nostr.Event {
	var texts [][]byte
	for i := range filters {
		texts = append(texts, filters[i].AppendJSON(nil))
	}
	return OracleJSON(events, texts...)
}

// OracleJSON is Oracle for filters as a client wrote them. It panics when one
// is not a filter.
func OracleJSON(events []*nostr.Event, filters ...[]byte) []*nostr.Event {
	found := map[nostr.EventID]*nostr.Event{}
	for _, text := range filters {
		f := decode(text)
		var matched []*nostr.Event
		for _, e := range events {
			if f.matches(e) {
				matched = append(matched, e)
			}
		}
		slices.SortFunc(matched, newestFirst)
		if f.Limit != nil && *f.Limit < len(matched) {
			matched = matched[:*f.Limit]
		}
		for _, e := range matched {
			found[e.ID] = e
		}
	}
	return slices.SortedFunc(maps.Values(found), newestFirst)
}

func newestFirst(a, b *nostr.Event) int {
	if a.CreatedAt != b.CreatedAt {
		return cmp.Compare(b.CreatedAt, a.CreatedAt)
	}
	return bytes.Compare(a.ID[:], b.ID[:])
}

// plainFilter is a filter as encoding/json sees it.
type plainFilter struct {
	IDs     *[]string `json:"ids"`
	Authors *[]string `json:"authors"`
	Kinds   *[]int64  `json:"kinds"`
	Since   *int64    `json:"since"`
	Until   *int64    `json:"until"`
	Limit   *int      `json:"limit"`
	tags    map[string][]string
}

func decode(text []byte) plainFilter {
	var f plainFilter
	var all map[string]json.RawMessage
	err := json.Unmarshal(text, &f)
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	f.tags = map[string][]string{}
	for key, value := range all {
		if len(key) == 2 && key[0] == '#' && strings.Contains(letters, key[1:]) && err == nil {
			var values []string
			err = json.Unmarshal(value, &values)
			f.tags[key[1:]] = values
		}
	}
	if err != nil {
		panic(fmt.Sprintf("nostrtest: filter %s: %v", text, err))
	}
	return f
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

func (f plainFilter) matches(e *nostr.Event) bool {
	if f.Kinds != nil && !slices.Contains(*f.Kinds, int64(e.Kind)) ||
		f.Since != nil && e.CreatedAt < *f.Since ||
		f.Until != nil && e.CreatedAt > *f.Until ||
		f.Authors != nil && !slices.Contains(*f.Authors, e.PubKey.String()) ||
		f.IDs != nil && !slices.Contains(*f.IDs, e.ID.String()) {
		return false
	}
	for name, values := range f.tags {
		if !slices.ContainsFunc(e.Tags, func(tag nostr.Tag) bool {
			return len(tag) > 1 && tag[0] == name && slices.Contains(values, tag[1])
		}) {
			return false
		}
	}
	return true
}
