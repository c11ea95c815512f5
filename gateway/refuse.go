package gateway

import "rhea/proto/frame"

// sayOK answers an EVENT or AUTH.
func (c *core) sayOK(cn *conn, id string, accepted bool, text string) {
	if !accepted {
		c.prompt(cn, text)
	}
	c.say(cn, frame.AppendOKText(c.scratch[:0], id, accepted, text))
}

// sayClosed ends a REQ or COUNT.
func (c *core) sayClosed(cn *conn, id frame.SubID, text string) {
	c.prompt(cn, text)
	c.say(cn, frame.AppendClosed(c.scratch[:0], id, text))
}

// sayNegErr ends a session.
func (c *core) sayNegErr(cn *conn, id frame.SubID, text string) {
	c.prompt(cn, text)
	c.say(cn, frame.AppendNegErr(c.scratch[:0], id, text))
}

// turnAway refuses a message that asks something, whatever it asks. What has the id
// of one that is refused ends.
func (c *core) turnAway(cn *conn, m frame.Client, why string) {
	switch m.Verb {
	case frame.Event, frame.Auth:
		id, _ := frame.EventIDOf(m.Body)
		c.sayOK(cn, id, false, why)
	case frame.Req:
		c.unsubscribe(cn, m.Sub)
		c.sayClosed(cn, m.Sub, why)
	case frame.Count:
		c.endCount(cn, m.Sub)
		c.sayClosed(cn, m.Sub, why)
	case frame.NegOpen, frame.NegMsg:
		c.endSession(cn, m.Sub)
		c.sayNegErr(cn, m.Sub, why)
	}
}

// refuse answers a message that cannot be understood, as precisely as what can be
// read of it allows.
func (c *core) refuse(cn *conn, m frame.Client, why string) {
	c.metrics.refusedMessages.Inc()
	if m.Sub != "" && asks(m.Verb) {
		c.turnAway(cn, m, why)
		return
	}
	c.say(cn, frame.AppendNotice(c.scratch[:0], why))
}
