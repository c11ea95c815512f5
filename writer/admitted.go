package writer

import (
	"bytes"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
	"rhea/writer/store"
)

// What one commit takes at the most.
const (
	batchEvents = 512
	batchBytes  = 4 << 20
)

// maxEvent is the size of the largest header with its JSON. It leaves room in a
// bus message for what an entry of the log adds.
const maxEvent = bus.MaxMessage - 32<<10

// batch is what is decided with one commit. It is plain: add is called for each
// event, the store decides about incoming, answers joins the two.
type batch struct {
	incoming []store.Incoming
	asked    []asked
	bytes    int
}

// asked is an event that waits for its verdict.
type asked struct {
	gateway subject.Instance
	num     uint64
	id      []byte         // empty if it cannot be told
	refused *store.Verdict // given without the store; else the next incoming's counts
}

func (b *batch) full() bool { return len(b.asked) >= batchEvents || b.bytes >= batchBytes }

// add takes an event in, and reports whether it is as an ingester makes them.
func (b *batch) add(a *relaypb.Admitted) bool {
	q := asked{gateway: subject.ConnID(a.Conn).Gateway(), num: a.Num}
	b.bytes += len(a.Header) + len(a.Json)
	h, err := nostr.CheckHeader(a.Header)
	var why string
	switch {
	case err != nil:
		why = err.Error()
	case !isOf(a.Json, h):
		why = "the event's header and JSON do not fit together"
	}
	if err == nil {
		id := h.ID()
		q.id = id[:]
	}
	switch {
	case why != "":
		q.refused = &store.Verdict{Outcome: relaypb.Outcome_ERROR, Text: nostr.Failed.Text(why)}
	case len(a.Header)+len(a.Json) > maxEvent:
		q.refused = &store.Verdict{Outcome: relaypb.Outcome_BLOCKED, Text: nostr.Invalid.Text("the event with its indexed tags is too large")}
	default:
		in := store.Incoming{Header: h, JSON: a.Json, Forged: a.Forged, Vanish: a.Vanish}
		if a.Hear {
			in.Asker, in.Num = q.gateway, a.Num
		}
		b.incoming = append(b.incoming, in)
	}
	b.asked = append(b.asked, q)
	return why == ""
}

// isOf reports whether json begins and ends as the canonical JSON of the event
// of h does; a writer cannot afford to parse every event again.
func isOf(json []byte, h nostr.Header) bool {
	const sigLen = len(`,"sig":"`) + 2*len(nostr.Sig{}) + len(`"}`)
	var stack [256]byte
	b := append(nostr.AppendJSONHead(stack[:0], h.ID(), h.PubKey(), h.CreatedAt(), h.Kind()), '[')
	if !bytes.HasPrefix(json, b) || len(json) < len(b)+sigLen {
		return false
	}
	return bytes.HasPrefix(json[len(json)-sigLen:], []byte(`,"sig":"`)) && bytes.HasSuffix(json, []byte(`"}`))
}

// answer is a verdict on its way to a gateway.
type answer struct {
	gateway subject.Instance
	verdict *relaypb.Verdict
}

// answers gives every event of a batch its verdict, in the order of arrival.
// Decided holds the store's, one for each incoming.
func answers(asked []asked, decided []store.Verdict) []answer {
	out := make([]answer, len(asked))
	for i, q := range asked {
		v := q.refused
		if v == nil {
			v, decided = &decided[0], decided[1:]
		}
		out[i] = answer{q.gateway, &relaypb.Verdict{Num: q.num, Id: q.id, Outcome: v.Outcome, Text: v.Text}}
	}
	return out
}
