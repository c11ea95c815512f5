package replay

import (
	"strconv"

	"google.golang.org/protobuf/proto"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
	"rhea/rhea/tap/decode"
)

// inputs are the inboxes from which a stage is asked; without a stage, those from
// which gateways ask a relay.
func inputs(under subject.Stage) []string {
	switch under {
	case subject.Ingester:
		return []string{"ingest"}
	case subject.Writer:
		return []string{"write", "scan"}
	case subject.Reqworker:
		return []string{"req"}
	case subject.Monitor:
		return []string{"sub", "log"}
	case subject.Negentropy:
		return []string{"neg", "log"}
	}
	return []string{"ingest", "req", "sub", "neg"}
}

// needs are the inboxes that a recording must have for a stage to be played to and
// compared.
func needs(under subject.Stage) []string {
	switch under {
	case subject.Ingester:
		return []string{"ingest.0", "write", "out.00000000"}
	case subject.Writer:
		return []string{"write", "out.00000000"}
	case subject.Reqworker:
		return []string{"req.0", "scan", "reply.reqworker.x", "out.00000000"}
	case subject.Monitor:
		return []string{"sub.0", "log", "out.00000000"}
	case subject.Negentropy:
		return []string{"neg.0", "log", "scan", "reply.negentropy.x", "out.00000000"}
	}
	return nil
}

// put asks what a recorded message asks. The log is passed on by the shell.
func (c *core) put(reply string, m proto.Message) {
	switch m := decode.Body(m).(type) {
	case *relaypb.EventFrame:
		c.askEvent(m)
	case *relaypb.AuthFrame:
		c.askAuth(m)
	case *relaypb.Admitted:
		c.askAdmitted(m)
	case *relaypb.Query:
		c.askQuery(m)
	case *relaypb.Credit:
		c.askCredit(m)
	case *relaypb.Stop:
		c.askStop(m)
	case *relaypb.Watch:
		c.askWatch(m)
	case *relaypb.Unwatch:
		c.askUnwatch(m)
	case *relaypb.NegOpen:
		c.askOpen(m)
	case *relaypb.NegMsg:
		c.askMsg(m)
	case *relaypb.NegClose:
		c.askClose(m)
	case *relaypb.Scan:
		c.askScan(reply, m)
	}
}

// note takes in what a recorded message answers, or tells.
func (c *core) note(subj string, said decode.Said, m proto.Message) {
	body := decode.Body(m)
	switch said.Inbox {
	case "out":
		if to, err := strconv.ParseUint(said.Key, 16, 32); err == nil {
			c.noteOut(subject.Instance(to), body)
		}
	case "write":
		if a, ok := body.(*relaypb.Admitted); ok && c.under == subject.Ingester {
			c.admittedThen(a)
		}
	case "log":
		if e, ok := body.(*relaypb.Entries); ok {
			if e.From > 1 && c.logFrom == 0 {
				c.before = true
			}
			c.logFrom = e.From
			c.noteEntries(false, e)
		}
	case "reply":
		if r, ok := body.(*relaypb.ScanReply); ok && c.under == subject.Writer {
			c.sliceThen(subj, r)
		}
	case "member":
		if w, ok := body.(*relaypb.Member); ok && w.Stage == string(subject.Gateway) && w.Gone {
			c.gone(subject.Instance(w.Instance))
		}
	}
}

// noteOut takes in what a gateway was told. Of a stage that is alone only its own
// answers find their questions.
func (c *core) noteOut(gateway subject.Instance, m proto.Message) {
	switch m := m.(type) {
	case *relaypb.Verdict:
		c.verdictThen(gateway, m)
	case *relaypb.Part:
		c.partThen(gateway, m)
	case *relaypb.Closed:
		c.endedThen(gateway, m.Num, closedEnd(m))
	case *relaypb.Counted:
		c.endedThen(gateway, m.Num, countedEnd(m))
	case *relaypb.Deliveries:
		c.deliveriesThen(gateway, m)
	case *relaypb.NegReply:
		c.replyThen(gateway, m)
	}
}

// hear takes in what the replay answers.
func (c *core) hear(m proto.Message) {
	switch m := decode.Body(m).(type) {
	case *relaypb.Verdict:
		c.verdictNow(m)
	case *relaypb.Admitted:
		c.admittedNow(m)
	case *relaypb.Part:
		c.partNow(m)
	case *relaypb.Closed:
		c.endedNow(m.Num, closedEnd(m))
	case *relaypb.Counted:
		c.endedNow(m.Num, countedEnd(m))
	case *relaypb.Deliveries:
		c.deliveriesNow(m)
	case *relaypb.NegReply:
		c.replyNow(m)
	case *relaypb.Entries:
		c.noteEntries(true, m)
	}
}
