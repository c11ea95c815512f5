package ingester

import (
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// authWindow is how far the created_at of an AUTH may lie from now, in seconds
// (NIP-42).
const authWindow = 10 * 60

// authenticate adds an AUTH to the batch, after every check but that of the
// signature (NIP-42). Now is in Unix seconds.
func (c *core) authenticate(f *relaypb.AuthFrame, now int64) {
	c.metrics.auths.Inc()
	c.bytes += len(f.Event)
	it := item{output: output{gateway: subject.ConnID(f.Conn).Gateway()}}
	e, refused := c.parse(f.Event)
	if refused == nil {
		refused = c.authentic(f, e, now)
	}
	if refused != nil {
		c.metrics.authRefused.Inc()
		it.verdict = refused.verdict(f.Num, e, f.Event)
	} else {
		it.verdict = &relaypb.Verdict{Num: f.Num, Id: e.ID[:], Outcome: relaypb.Outcome_AUTHENTICATED, Key: e.PubKey[:]}
		it.check = c.checkOf(origin{conn: subject.ConnID(f.Conn)}, e)
	}
	c.batch = append(c.batch, it)
}

// finishAuth makes the verdict final once the signature has been verified.
func (c *core) finishAuth(v *relaypb.Verdict, good bool) {
	if good {
		c.metrics.authenticated.Inc()
		return
	}
	c.metrics.authRefused.Inc()
	v.Outcome, v.Text, v.Key = relaypb.Outcome_INVALID, nostr.Invalid.Text("bad signature"), nil
}

// authentic checks that an event says: I am here, now, on this connection. A
// connection that has been sent no challenge has none to answer.
func (c *core) authentic(f *relaypb.AuthFrame, e *nostr.Event, now int64) *refusal {
	challenge, relay := valueOf(e, "challenge"), valueOf(e, "relay")
	switch {
	case e.Kind != kindAuth:
		return invalid(reasonAuth, "kind: an AUTH must be of kind 22242")
	case e.CreatedAt < now-authWindow || e.CreatedAt > now+authWindow:
		return invalid(reasonAuth, "created_at: is more than 10 minutes from now")
	case challenge == "":
		return invalid(reasonAuth, "challenge: missing")
	case challenge != f.Challenge:
		return invalid(reasonAuth, "challenge: is not the one that this connection was sent")
	case relay == "":
		return invalid(reasonAuth, "relay: missing")
	case !c.names.Host(relay, f.Host):
		return invalid(reasonAuth, "relay: is not the URL of this relay")
	case e.ComputeID() != e.ID:
		return invalid(reasonID, "id: is not the hash of the event")
	}
	return nil
}

// valueOf returns the value of the first tag of a name, "" if there is none.
func valueOf(e *nostr.Event, name string) string {
	for _, tag := range e.Tags {
		if tag[0] == name {
			if len(tag) > 1 {
				return tag[1]
			}
			return ""
		}
	}
	return ""
}
