package ingester

import (
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"rhea/proto/bus"
	"rhea/proto/frame"
	"rhea/proto/limits"
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// kindAuth is the kind of the event that authenticates a client (NIP-42), which
// must not be published.
const kindAuth nostr.Kind = 22242

// maxAdmitted is the size of the largest Admitted. It leaves room in a bus
// message for what the writer adds to it in the log. Only an event that is huge
// and is mostly one indexed tag, which the header repeats, comes near it.
const maxAdmitted = bus.MaxMessage - 64<<10

// core decides about event frames. It has no goroutine, clock or bus: take is
// called for each frame of a batch, then somebody settles the checks, then
// finish gives what is to be sent, in the order of the frames.
type core struct {
	limits  limits.Limits
	seen    *seen
	metrics *metrics

	batch  []item
	checks []*check // signatures that the batch waits for, each once
	wanted map[fingerprint]*check
	bytes  int // of the batch's frames
}

// item is a frame of the batch: refused, or admitted if its check allows.
type item struct {
	gateway  subject.Instance
	verdict  *relaypb.Verdict
	admitted *relaypb.Admitted
	check    *check // nil if there is nothing to verify
}

// output is a message to send: a verdict for a gateway, or an event for the
// writer.
type output struct {
	gateway  subject.Instance
	verdict  *relaypb.Verdict
	admitted *relaypb.Admitted
}

func newCore(l limits.Limits, seenEvents int, m *metrics) *core {
	return &core{limits: l, seen: newSeen(seenEvents), metrics: m, wanted: make(map[fingerprint]*check)}
}

// take adds a frame to the batch, after every check but that of the signature.
// Now is in Unix seconds.
func (c *core) take(f *relaypb.EventFrame, now int64) {
	c.metrics.received.Inc()
	c.bytes += len(f.Event)
	it := item{gateway: subject.ConnID(f.Conn).Gateway()}
	e, refused := c.admissible(f.Event, now)
	if refused == nil {
		it.admitted, refused = admit(f, e)
	}
	if refused != nil {
		c.metrics.refused[refused.reason].Inc()
		it.verdict = &relaypb.Verdict{Num: f.Num, Id: idOf(e, f.Event), Outcome: refused.outcome, Text: refused.text}
	} else if !f.Trusted {
		it.check = c.checkOf(e)
	}
	c.batch = append(c.batch, it)
}

// finish returns what became of the batch and begins the next. All checks must
// be settled.
func (c *core) finish() []output {
	for _, ch := range c.checks {
		c.metrics.checks.Inc()
		if ch.valid {
			c.seen.add(ch.key)
		}
	}
	c.metrics.seen.Set(int64(c.seen.size()))
	outputs := make([]output, len(c.batch))
	for i, it := range c.batch {
		if it.admitted != nil {
			if it.check != nil && !it.check.valid {
				it.admitted.Forged = true
				c.metrics.forged.Inc()
			} else {
				c.metrics.admitted.Inc()
			}
		}
		outputs[i] = output{gateway: it.gateway, verdict: it.verdict, admitted: it.admitted}
	}
	clear(c.batch)
	clear(c.checks)
	clear(c.wanted)
	c.batch, c.checks, c.bytes = c.batch[:0], c.checks[:0], 0
	return outputs
}

// checkOf returns the check that e waits for, nil if e is remembered as good.
func (c *core) checkOf(e *nostr.Event) *check {
	key := fingerprintOf(e)
	if ch := c.wanted[key]; ch != nil {
		c.metrics.spared.Inc()
		return ch
	}
	if c.seen.has(key) {
		c.metrics.spared.Inc()
		return nil
	}
	ch := &check{key: key, id: e.ID, pubkey: e.PubKey, sig: e.Sig}
	c.wanted[key] = ch
	c.checks = append(c.checks, ch)
	return ch
}

// refusal says why a frame goes no further.
type refusal struct {
	reason  reason
	outcome relaypb.Outcome
	text    string
}

func invalid(r reason, why string) *refusal {
	return &refusal{r, relaypb.Outcome_INVALID, nostr.Invalid.Text(why)}
}

func beyond(why string, args ...any) *refusal {
	return &refusal{reasonLimits, relaypb.Outcome_BLOCKED, nostr.Invalid.Text(fmt.Sprintf(why, args...))}
}

// admissible parses an event and runs the checks that need nothing else, the
// cheapest first. The event is nil if it could not be parsed.
func (c *core) admissible(raw []byte, now int64) (*nostr.Event, *refusal) {
	l := &c.limits
	if len(raw) > l.MaxMessageLength {
		return nil, beyond("the event has more than %d bytes", l.MaxMessageLength)
	}
	e, err := nostr.ParseEvent(raw, nostr.EventLimits{MaxTags: l.MaxEventTags})
	switch {
	case err != nil:
		return nil, invalid(reasonShape, err.Error())
	case e.Kind == kindAuth:
		return e, invalid(reasonAuth, "an event of kind 22242 authenticates and cannot be published")
	case l.CreatedAtLowerLimit > 0 && e.CreatedAt < now-l.CreatedAtLowerLimit:
		return e, beyond("created_at is more than %d seconds in the past", l.CreatedAtLowerLimit)
	case l.CreatedAtUpperLimit > 0 && e.CreatedAt > now+l.CreatedAtUpperLimit:
		return e, beyond("created_at is more than %d seconds in the future", l.CreatedAtUpperLimit)
	case l.MaxContentLength > 0 && len(e.Content) > l.MaxContentLength &&
		utf8.RuneCountInString(e.Content) > l.MaxContentLength:
		return e, beyond("the content has more than %d characters", l.MaxContentLength)
	case e.ComputeID() != e.ID:
		return e, invalid(reasonID, "id: is not the hash of the event")
	}
	return e, nil
}

// admit makes the writer's message of an event.
func admit(f *relaypb.EventFrame, e *nostr.Event) (*relaypb.Admitted, *refusal) {
	a := &relaypb.Admitted{
		Conn: f.Conn, Num: f.Num,
		Header: nostr.AppendHeader(nil, e),
		Json:   e.AppendJSON(make([]byte, 0, len(f.Event)+32)),
	}
	if proto.Size(a) > maxAdmitted {
		return nil, beyond("the event with its indexed tags is too large")
	}
	return a, nil
}

// idOf returns the id that a verdict names: that of the event, or what can be
// read in one that does not parse, or nothing.
func idOf(e *nostr.Event, raw []byte) []byte {
	if e != nil {
		return e.ID[:]
	}
	text, ok := frame.EventIDOf(raw)
	if !ok {
		return nil
	}
	id, err := nostr.ParseEventID(text)
	if err != nil {
		return nil
	}
	return id[:]
}
