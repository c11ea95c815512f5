package e2e

import (
	"fmt"
	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"slices"
)

// listening is a live subscription and what it should be sent: every one of must,
// and nothing beyond may.
type listening struct {
	id      string
	filters [][]byte
	stored  int
	must    []string
	may     []string
	// certain says that the subscription is known to be registered with its monitor,
	// which happens a little after its EOSE, and again after an AUTH. What comes and is
	// removed before is not sent.
	certain bool
}

// remove says that events have left the store, one id for each.
func (l *listening) remove(ids []string) {
	for _, id := range ids {
		if i := slices.Index(l.must, id); i >= 0 {
			l.must = slices.Delete(l.must, i, i+1)
			l.may = append(l.may, id)
		}
	}
}

// lacks reports whether something is still to come of what a subscription was sent.
func (l *listening) lacks(got []string) bool {
	return slices.ContainsFunc(l.must, func(id string) bool { return count(got[l.stored:], id) < count(l.must, id) })
}

// settle checks what a connection's subscriptions were sent so far: each is sent a
// mark after everything that was published before it.
func (w *world) settle(conn int) error {
	c := w.conns[conn]
	if len(c.subs) == 0 {
		return nil
	}
	w.marks++
	e := &nostr.Event{Kind: 20999, CreatedAt: int64(w.marks), Tags: []nostr.Tag{{"t", w.mark(conn)}}}
	if err := nostrtest.Sign(e, w.secret(99)); err != nil {
		return err
	}
	c.send(`["EVENT",` + string(e.AppendJSON(nil)) + `]`)
	if _, err := c.until("OK", e.ID.String()); err != nil {
		return err
	}
	for _, l := range c.subs {
		l.must = append(l.must, e.ID.String())
		for l.lacks(c.got[l.id]) {
			if _, err := c.frame(); err != nil {
				break
			}
		}
		got := c.got[l.id][l.stored:]
		// As often as it was stored: an event that was replaced may be stored again when
		// what replaced it has been deleted.
		for _, id := range slices.Concat(l.must, got) {
			n, least := count(got, id), count(l.must, id)
			if n < least || n > least+count(l.may, id) {
				return fmt.Errorf("%s was sent %s live %d times\nfilters %s", l.id, w.names([]string{id}), n, l.filters)
			}
		}
		l.certain = !w.restless
	}
	return nil
}

func count(list []string, item string) (n int) {
	for _, s := range list {
		if s == item {
			n++
		}
	}
	return n
}
