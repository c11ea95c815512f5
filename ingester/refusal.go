package ingester

import (
	"fmt"

	"rhea/proto/frame"
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
)

// refusal says why a frame goes no further.
type refusal struct {
	reason  reason
	outcome relaypb.Outcome
	text    string
}

// invalid is the refusal of what breaks the protocol.
func invalid(r reason, why string) *refusal {
	return &refusal{r, relaypb.Outcome_INVALID, nostr.Invalid.Text(why)}
}

// beyond is the refusal of what exceeds section [limits].
func beyond(why string, args ...any) *refusal {
	return unwanted(reasonLimits, nostr.Invalid, why, args...)
}

// unwanted is the refusal of a valid event that this relay does not take.
func unwanted(r reason, prefix nostr.Prefix, why string, args ...any) *refusal {
	return &refusal{r, relaypb.Outcome_BLOCKED, prefix.Text(fmt.Sprintf(why, args...))}
}

// verdict answers the frame of this number, whose event is nil if it could not be
// parsed.
func (r *refusal) verdict(num uint64, e *nostr.Event, raw []byte) *relaypb.Verdict {
	return &relaypb.Verdict{Num: num, Id: idOf(e, raw), Outcome: r.outcome, Text: r.text}
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
