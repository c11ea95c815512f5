package operate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"rhea/proto/nostr"
)

// Query says which events to read, and in which order.
type Query struct {
	Filters   []string // JSON, from Filters; an event that matches one of them is read; none is all
	Since     *int64   // Unix seconds, inclusive, on top of the filters' own; nil is no bound
	Until     *int64
	Ascending bool // oldest first
	Limit     int  // events in all; 0 is any number
	// Progress, which may be nil, is called now and then with the number of events.
	Progress func(events int)

	behind *nostr.Event // if set, what comes up to this event is left out
}

// filterLimits are beyond what anybody types.
func filterLimits() nostr.FilterLimits {
	return nostr.FilterLimits{MaxFilters: 1000, MaxValues: 1_000_000}
}

// Filters reads what a command line gives: filters, or arrays of them as strfry's
// commands take.
func Filters(args []string) ([]string, error) {
	var filters []string
	for _, arg := range args {
		if !strings.HasPrefix(strings.TrimSpace(arg), "[") {
			filters = append(filters, arg)
			continue
		}
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(arg), &list); err != nil {
			return nil, fmt.Errorf("filter %s: %w", arg, err)
		}
		if len(list) == 0 {
			return nil, errors.New("an array without a filter matches nothing; all events match {}")
		}
		for _, one := range list {
			filters = append(filters, string(one))
		}
	}
	return filters, nil
}

// Check says what is wrong with the query, so that a typing error is answered before
// anything is asked.
func (q Query) Check() error {
	for _, f := range q.Filters {
		if _, err := nostr.ParseFilters([]byte(f), filterLimits()); err != nil {
			return fmt.Errorf("filter %s: %w", f, err)
		}
	}
	if q.Since != nil && q.Until != nil && *q.Since > *q.Until {
		return fmt.Errorf("nothing is since %d and until %d", *q.Since, *q.Until)
	}
	return nil
}

// limited says whether a limit keeps some of the matching events out.
func (q Query) limited() bool {
	for _, f := range q.Filters {
		if list, err := nostr.ParseFilters([]byte(f), filterLimits()); err == nil && list[0].Limit != nostr.NoLimit {
			return true
		}
	}
	return q.Limit > 0
}

// bounded returns the filters as they are asked, with the query's own bounds in them.
func (q Query) bounded() ([]byte, error) {
	filters := q.Filters
	if len(filters) == 0 {
		filters = []string{"{}"}
	}
	var list [][]byte
	for _, f := range filters {
		one := []byte(f)
		if q.Since != nil || q.Until != nil {
			var err error
			if one, err = q.bound(one); err != nil {
				return nil, fmt.Errorf("filter %s: %w", f, err)
			}
		}
		list = append(list, one)
	}
	return bytes.Join(list, []byte(",")), nil
}

// bound narrows one filter.
func (q Query) bound(filter []byte) ([]byte, error) {
	parsed, err := nostr.ParseFilter(filter, filterLimits())
	if err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(filter, &members); err != nil {
		return nil, err
	}
	if q.Since != nil && (!parsed.HasSince || parsed.Since < *q.Since) {
		members["since"] = fmt.Append(nil, *q.Since)
	}
	if q.Until != nil && (!parsed.HasUntil || parsed.Until > *q.Until) {
		members["until"] = fmt.Append(nil, *q.Until)
	}
	return json.Marshal(members)
}

// passed says whether an event comes behind the one that the query goes on from, in
// the query's order, which is NIP-01's or its reverse.
func (q Query) passed(e *nostr.Event) bool {
	at := q.behind
	if e.CreatedAt != at.CreatedAt {
		return e.CreatedAt > at.CreatedAt == q.Ascending
	}
	return e.ID != at.ID && bytes.Compare(e.ID[:], at.ID[:]) < 0 == q.Ascending
}
