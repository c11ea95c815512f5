package replay

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
)

// Difference is a question whose answers differ, ready to be printed.
type Difference struct {
	What string        // "REQ of 1a2b3c4d-17, number 4711"
	At   time.Duration // since the recording began
	Text string        // the frame, or the filters
	Note string        // where the answers part; may be empty
	Why  string        // an answer is missing, if it is known; may be empty
	// Lines of what was recorded and what came; a line that both have has a blank,
	// one of the recording alone a minus, one of the replay alone a plus before it.
	Lines []string
}

// String prints the difference as a failing test would.
func (d Difference) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, at +%s\n", d.What, d.At.Round(time.Microsecond))
	for _, line := range []string{d.Text, d.Note, d.Why} {
		if line != "" {
			fmt.Fprintf(&b, "    %s\n", line)
		}
	}
	for _, line := range d.Lines {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	return b.String()
}

// verdict is what a comparison has come to.
type verdict uint8

const (
	same verdict = iota
	different
	byChance   // they differ, but in what chance decides
	ownFault   // the recording has an error of the relay itself
	unfinished // the recording ends, or begins, before it can be compared
	unanswered // the replay has no answer
)

// compare compares a question's answers when nothing more will come.
func (c *core) compare(q *question) (verdict, *Difference) {
	r, p := q.recorded, q.replayed
	switch {
	case !r.over && len(r.items) == 0 && q.kind != askedWatch:
		return unfinished, nil
	case isOwnFault(r.end) && r.end != p.end:
		return ownFault, nil
	case q.expires && r.end != p.end:
		return unfinished, nil
	case q.kind == askedEvent && c.before && !isRefusal(p.end) && r.end != p.end && mayDependOnStore(r.end):
		return unfinished, nil
	case (q.kind == askedCount || q.kind == askedSession) && c.before && (r.end != p.end || !slices.Equal(r.items, p.items)):
		return unfinished, nil
	}
	then, now, out := c.cleaned(q)
	loose := !r.over || r.end == stopped || p.end == stopped || out.before > 0
	ends := r.end == p.end || r.end == stopped || p.end == stopped || !r.over || (c.before || q.raced) && sameEnd(r.end, p.end)
	parted := part(then, now)
	switch {
	case loose && parted == len(then):
		parted = -1
	case q.kind == askedWatch: // knows no limit
	case parted == len(then) && len(now)-parted <= out.then, parted == len(now) && len(then)-parted <= out.now:
		parted = -1 // a limit lets one more in for each that is left out
	}
	if parted < 0 && ends {
		return same, nil
	}
	if q.raced && (q.sums() || q.kind == askedEvent && (parted >= 0 || chanceEnds(r.end, p.end))) {
		return byChance, nil
	}
	if q.lost && !p.over && q.kind != askedWatch {
		return unanswered, c.describe(q, then, now, parted, ends)
	}
	if parted >= 0 && ends && c.otherOrder(then, now) {
		return byChance, nil
	}
	return different, c.describe(q, then, now, parted, ends)
}

// stopped ends an answer that its asker did not want any more.
const stopped = "stopped"

// sameEnd compares ends without what a store with more in it says differently.
func sameEnd(a, b string) bool {
	cut := func(s string) string { s, _, _ = strings.Cut(s, " "); return s }
	return cut(a) == cut(b)
}

// chanceEnds says whether two ends differ as those of events may that were on their
// way at the same time.
func chanceEnds(a, b string) bool { return a == b || mayDependOnStore(a) || mayDependOnStore(b) }

// isOwnFault says whether an end is an error of the relay that recorded: a store that
// was away, too much work, a restart. Another run has others.
func isOwnFault(end string) bool {
	_, text, _ := strings.Cut(end, " ")
	return strings.HasPrefix(text, nostr.Failed.Text("")) || strings.HasPrefix(text, nostr.Closed.Text("")) ||
		strings.HasPrefix(text, nostr.RateLimited.Text(""))
}

func isRefusal(end string) bool {
	return strings.HasPrefix(end, relaypb.Outcome_INVALID.String()) || strings.HasPrefix(end, relaypb.Outcome_ERROR.String())
}

// mayDependOnStore says whether a verdict is about what the store has.
func mayDependOnStore(end string) bool {
	return strings.HasPrefix(end, relaypb.Outcome_DUPLICATE.String()) || strings.HasPrefix(end, relaypb.Outcome_REPLACED.String()) ||
		strings.HasPrefix(end, relaypb.Outcome_BLOCKED.String()+" "+nostr.Blocked.Text("")) // deleted, vanished
}

// leftOut counts what is not compared: events that were on their way, of either
// answer, and those from before the recording, of both.
type leftOut struct{ then, now, before int }

// cleaned returns both answers without what cannot be compared.
func (c *core) cleaned(q *question) (then, now []item, out leftOut) {
	if q.kind == askedSession || q.kind == askedCount {
		return q.recorded.items, q.replayed.items, out
	}
	spans := c.spans(q)
	keep := func(list []item, under *int) []item {
		var kept []item
		for _, i := range list {
			switch {
			case q.kind != askedEvent && slices.ContainsFunc(spans, func(s span) bool { return c.lives.unsettled(i, s) }):
				*under++
			case q.kind == askedWatch && c.lives.leaving(i, q.beginning()):
				*under++
			case c.elsewhere && c.life(i).expires:
				*under++
			case c.before && !c.lives.knows(i):
				out.before++
			default:
				kept = append(kept, i)
			}
		}
		return kept
	}
	then, now = keep(q.recorded.items, &out.then), keep(q.replayed.items, &out.now)
	return then, now, out
}

// onItsWay is how long an event that is stored may take to those who watch.
const onItsWay = 250 * time.Millisecond

// spans are the times in which what came or went may be in an answer or not.
func (c *core) spans(q *question) []span {
	switch {
	case q.twin: // which reply each was given is not known
		return []span{between(q.asked.Add(-twins), q.first.Add(twins))}
	case q.kind == askedQuery || q.kind == askedScan:
		return []span{between(q.asked, q.first)}
	case q.kind == askedWatch:
		end := q.closed
		if end.IsZero() {
			end = c.at
		}
		return append(q.handedOver(), between(end.Add(-onItsWay), time.Time{}))
	}
	return nil
}

// part returns where two lists differ first, -1 if they do not.
func part(a, b []item) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	if len(a) != len(b) {
		return min(len(a), len(b))
	}
	return -1
}

// otherOrder says whether two lists have the same events, in orders that differ
// only in those that were on their way at the same time.
func (c *core) otherOrder(then, now []item) bool {
	if len(then) != len(now) {
		return false
	}
	place := make(map[item]int, len(then))
	for i, x := range then {
		place[x] = i
	}
	for i, x := range now {
		at, ok := place[x]
		if !ok {
			return false
		}
		if i == 0 || place[now[i-1]] < at {
			continue
		}
		a, b := c.life(now[i-1]), c.life(x)
		if !(span{a.asked, a.settled}).meets(b.asked, b.settled) {
			return false
		}
	}
	return true
}

func (c *core) life(i item) life {
	x, _ := c.lives.get(i)
	return x
}

// around is how many equal items are shown before the first that differs, shown how
// many of each side from there on.
const (
	around = 2
	shown  = 4
)

// describe makes a difference of two answers that part there.
func (c *core) describe(q *question, then, now []item, parted int, ends bool) *Difference {
	r, p := q.recorded, q.replayed
	d := &Difference{At: q.asked.Sub(c.began), Text: q.text, What: c.name(q)}
	if parted >= 0 {
		d.Note = fmt.Sprintf("%d recorded, %d replayed; they part at %d", len(then), len(now), parted+1)
		for _, i := range then[max(0, parted-around):parted] {
			d.Lines = append(d.Lines, "  "+i.String())
		}
		d.Lines = append(d.Lines, signed("- ", then[parted:])...)
		d.Lines = append(d.Lines, signed("+ ", now[parted:])...)
	}
	if q.lost && c.explain != nil {
		d.Why = c.explain()
	}
	if q.kind != askedWatch && (!ends || q.lost) || r.over && p.over && !ends {
		d.Lines = append(d.Lines, "- "+shownEnd(r), "+ "+shownEnd(p))
	}
	return d
}

func shownEnd(a answer) string {
	if !a.over {
		return "(no answer)"
	}
	return a.end
}

func signed(sign string, list []item) []string {
	var lines []string
	for i, x := range list {
		if i == shown {
			return append(lines, fmt.Sprintf("%s… and %d more", sign, len(list)-shown))
		}
		lines = append(lines, sign+x.String())
	}
	return lines
}

// name says which question it is.
func (c *core) name(q *question) string {
	if q.kind == askedScan {
		return "scan"
	}
	return fmt.Sprintf("%s of %s, number %d", q.kind, q.conn, q.key.num)
}
