package replay

import (
	"encoding/hex"
	"fmt"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// kind is what a question asks.
type kind uint8

const (
	askedEvent kind = iota
	askedAuth
	askedQuery
	askedCount
	askedWatch
	askedSession
	askedScan
	kinds
)

// String returns a kind's name, as clients know it where they do.
func (k kind) String() string {
	return [kinds]string{"EVENT", "AUTH", "REQ", "COUNT", "subscription", "NEG", "scan"}[k]
}

// key identifies a question within the recording: numbers are unique in a gateway's
// life.
type key struct {
	gateway subject.Instance
	num     uint64
}

// item is a piece of an answer: the first bytes of an event's id, or a digest.
type item uint64

// String returns the item as the beginning of an id.
func (i item) String() string { return fmt.Sprintf("%016x…", uint64(i)) }

// answer is what has come in answer to a question so far.
type answer struct {
	items []item
	end   string // what ended it; empty while it goes on
	over  bool
}

// close ends the answer, unless it has ended.
func (a *answer) close(end string) {
	if !a.over {
		a.end, a.over = end, true
	}
}

// question is something that was asked in the recording, and is asked again.
type question struct {
	kind  kind
	key   key
	conn  subject.ConnID // as recorded
	asked time.Time      // as recorded
	text  string         // the frame, or the filters; cut
	mine  uint64         // its number in the replay; 0: it is not asked there

	recorded, replayed answer

	first    time.Time // of a query, a session: its first recorded answer
	closed   time.Time // when it ended in the recording
	expires  bool      // an event, by another clock
	twin     bool      // of a reqworker that is alone: another has asked the same at the same time
	raced    bool      // something was under way whose order chance decides
	events   uint64    // a session, a count: core.moves when it was asked
	finished bool      // its answers are compared, or about to be
	lost     bool      // it was waited for in vain
	owed     time.Time // since when the replay has less than the recording; zero: it has not

	query *query
	watch *watch
	scan  *chain
	turns int    // of a session: those that were asked again
	by    string // of an event: its author
}

// maxText is how much of a frame or of filters is kept to print.
const maxText = 240

// excerpt cuts a text to what is printed.
func excerpt(b []byte) string {
	if len(b) > maxText {
		return string(b[:maxText]) + "…"
	}
	return string(b)
}

// behind says whether the replay owes what the recording has.
func (q *question) behind() bool {
	switch {
	case q.mine == 0 || q.lost || q.replayed.over || q.query != nil && !q.query.halted.IsZero():
		return false
	case q.recorded.over:
		return q.kind != askedWatch || len(q.watch.owed) > 0
	case q.kind == askedWatch:
		return len(q.watch.owed) > 0 || q.watch.confirmedThen && !q.watch.confirmedNow
	}
	return !(q.raced && q.sums()) && len(q.replayed.items) < len(q.recorded.items)
}

// sums says whether a single event more changes the whole answer, as far as it can be
// compared.
func (q *question) sums() bool {
	return q.kind == askedCount || q.kind == askedSession || q.kind == askedScan && q.scan.ask.Want == relaypb.Want_COUNT
}

// idOf returns the item of an event in canonical JSON, which begins with its id.
func idOf(json []byte) item {
	const start = len(`{"id":"`)
	var b [8]byte
	if len(json) < start+16 {
		return 0
	}
	if _, err := hex.Decode(b[:], json[start:start+16]); err != nil {
		return 0
	}
	return itemOf(b[:])
}

// itemOf is the item of an id.
func itemOf(id []byte) item {
	var i item
	for _, b := range id[:min(8, len(id))] {
		i = i<<8 | item(b)
	}
	return i
}

// parse reads an event as a client sent it, nil if it is none.
func parse(raw []byte) *nostr.Event {
	e, err := nostr.ParseEvent(raw, nostr.EventLimits{})
	if err != nil {
		return nil
	}
	return e
}
