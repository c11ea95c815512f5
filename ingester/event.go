package ingester

import (
	"unicode/utf8"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// maxAdmitted is the size of the largest Admitted. It leaves room in a bus
// message for what the writer adds to it in the log. Only an event that is huge
// and is mostly one indexed tag, which the header repeats, comes near it.
const maxAdmitted = bus.MaxMessage - 64<<10

// take adds an EVENT to the batch, after every check but that of the signature.
// Now is in Unix seconds.
func (c *core) take(f *relaypb.EventFrame, now int64) {
	c.metrics.received.Inc()
	if len(c.batch) == 0 {
		c.recycle()
	}
	c.bytes += len(f.Event)
	it := item{output: output{gateway: subject.ConnID(f.Conn).Gateway()}}
	e, refused := c.parse(f.Event)
	if refused == nil {
		refused = c.admissible(e, f.Imported, now)
	}
	if refused == nil {
		it.admitted, refused = c.admit(f, e, now)
	}
	if refused != nil {
		c.metrics.refused[refused.reason].Inc()
		it.verdict = refused.verdict(f.Num, e, f.Event)
	} else if !f.Trusted {
		it.check = c.checkOf(origin{conn: subject.ConnID(f.Conn), imported: f.Imported}, e)
	}
	c.batch = append(c.batch, it)
}

// parse reads an event of an EVENT or AUTH.
func (c *core) parse(raw []byte) (*nostr.Event, *refusal) {
	if len(raw) > c.limits.MaxMessageLength {
		return nil, beyond("the event has more than %d bytes", c.limits.MaxMessageLength)
	}
	e, err := nostr.ParseEvent(raw, nostr.EventLimits{MaxTags: c.limits.MaxEventTags})
	if err != nil {
		return nil, invalid(reasonShape, err.Error())
	}
	return e, nil
}

// admissible runs the checks that need nothing but the parsed event, the cheapest
// first.
func (c *core) admissible(e *nostr.Event, imported bool, now int64) *refusal {
	if e.Kind == kindAuth {
		return invalid(reasonAuth, "an event of kind 22242 authenticates and cannot be published")
	}
	if refused := c.dated(e, now); refused != nil {
		return refused
	}
	if most := c.limits.MaxContentLength; most > 0 && len(e.Content) > most && utf8.RuneCountInString(e.Content) > most {
		return beyond("the content has more than %d characters", most)
	}
	if !imported {
		if refused := c.worked(e); refused != nil {
			return refused
		}
	}
	if c.canon.ID(e) != e.ID {
		return invalid(reasonID, "id: is not the hash of the event")
	}
	return nil
}

// admit makes the writer's message of an event, and runs the checks that need its
// header.
func (c *core) admit(f *relaypb.EventFrame, e *nostr.Event, now int64) (*relaypb.Admitted, *refusal) {
	h := c.header(e)
	if h.Expired(now) {
		return nil, invalid(reasonExpired, "the event has expired")
	}
	if h.Protected() && !f.Imported {
		if refused := fromItsAuthor(e, f.Keys); refused != nil {
			return nil, refused
		}
	}
	if (e.Kind == kindRepost || e.Kind == kindGenericRepost) && embedsProtected(e.Content) {
		return nil, unwanted(reasonRepost, nostr.Blocked, "a repost must not embed a protected event")
	}
	vanish := false
	if e.Kind == kindVanish {
		var refused *refusal
		if vanish, refused = c.vanishesHere(e); refused != nil {
			return nil, refused
		}
	}
	a := &relaypb.Admitted{
		Conn: f.Conn, Num: f.Num,
		Header: h,
		Json:   c.json(e),
		Vanish: vanish,
		Hear:   c.policy.Mute && e.Kind.IsEphemeral(),
	}
	if relaypb.Size(a) > maxAdmitted {
		return nil, beyond("the event with its indexed tags is too large")
	}
	return a, nil
}
