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
}

// lacks reports whether something is still to come of what a subscription was sent.
func (l *listening) lacks(got []string) bool {
	return slices.ContainsFunc(l.must, func(id string) bool { return count(got[l.stored:], id) < count(l.must, id) })
}

// settle checks what a connection's subscriptions were sent so far: a mark comes
// after everything that was published before it.
func (w *world) settle(conn int) error {
	c := w.conns[conn]
	w.marks++
	e := &nostr.Event{Kind: 20999, CreatedAt: int64(w.marks), Tags: []nostr.Tag{{"t", w.mark(conn)}}}
	if err := nostrtest.Sign(e, w.secret(99)); err != nil {
		return err
	}
	c.send(`["EVENT",` + string(e.AppendJSON(nil)) + `]`)
	if _, err := c.until("OK", e.ID.String()); err != nil {
		return err
	}
	for !slices.Contains(c.got["mark"], e.ID.String()) {
		if _, err := c.frame(); err != nil {
			return err
		}
	}
	for _, l := range c.subs {
		// A subscription that has just begun is registered a little later than it was
		// answered, and hears then what the mark has overtaken.
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
