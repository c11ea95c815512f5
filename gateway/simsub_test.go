package gateway

import (
	"fmt"
	"testing"
)

// simSub is what one subscription has heard.
type simSub struct {
	began  simAuth // its client's keys when it was opened
	stored []int
	eose   bool
	live   []int
}

// hear takes in an event: stored ones come in descending order, live ones in
// ascending order above them.
func (sub *simSub) hear(t *testing.T, seq int) {
	list, ordered := &sub.stored, func(last int) bool { return seq < last }
	if sub.eose {
		list, ordered = &sub.live, func(last int) bool { return seq > last }
	}
	if n := len(*list); n > 0 && !ordered((*list)[n-1]) || sub.eose && n == 0 && len(sub.stored) > 0 && seq <= sub.stored[0] {
		t.Fatalf("heard %d after %v, EOSE %v, %v", seq, sub.stored, sub.eose, sub.live)
	}
	*list = append(*list, seq)
}

// verify finds what was heard and may not have been, or the other way round. An
// event that needs a key
//
//   - must be among the stored ones when the client was sure of the key before the REQ,
//     and may be when it had only tried by then;
//   - must be among the live ones when it was committed after the client was sure of
//     the key, and may be when it has tried.
//
// Between the highest stored and the lowest live event that were heard it is not
// known which of the two an event is: it must be there if it must be as a stored one,
// because then it must be as a live one, too.
func (sub *simSub) verify(log []simEvent, now *simAuth) error {
	if !sub.eose {
		return fmt.Errorf("no EOSE after %d events", len(sub.stored))
	}
	heard := make(map[int]bool)
	last, first := 0, len(log)+1
	if len(sub.stored) > 0 {
		last = sub.stored[0]
	}
	if len(sub.live) > 0 {
		first = sub.live[0]
	}
	for _, seq := range append(sub.stored[:len(sub.stored):len(sub.stored)], sub.live...) {
		heard[seq] = true
	}
	for i, e := range log {
		seq, k := i+1, e.key
		must, may := k == 0 || sub.began.sure[k], k == 0 || sub.began.tried[k]
		if seq >= first {
			must, may = k == 0 || now.sure[k] && seq > now.from[k], k == 0 || now.tried[k]
		}
		if heard[seq] && !may || !heard[seq] && must {
			return fmt.Errorf("event %d of %d for key %d (stored up to %d, live from %d): heard %v", seq, len(log), k, last, first, heard[seq])
		}
	}
	return nil
}
