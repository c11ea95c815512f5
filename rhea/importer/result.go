package importer

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"rhea/proto/relaypb"
)

// Result counts what became of the lines.
type Result struct {
	Accepted   int // on disk now
	Found      int // on disk when sent again: accepted whose first answer was lost, or before
	Ephemeral  int // passed on, not stored
	Duplicate  int // were on disk before
	Replaced   int // refused because a newer version is stored
	TooLong    int
	Rejected   map[string]int // by reason, for the event or the relay's policy
	Failed     int            // the relay's own errors: worth another try
	Unanswered int
	Resent     int // copies sent beyond the first, not a fate
	Before     int // lines of the import that this one goes on from, no fate either
	Took       time.Duration
}

// maxReasons bounds how many reasons are told apart.
const maxReasons = 20

const otherReasons = "other reasons"

// count counts the answer to an event. Of one that was resent, a duplicate says
// nothing of the time before the import: it may be the first copy that is stored.
func (r *Result) count(v *relaypb.Verdict, resent bool) {
	switch v.Outcome {
	case relaypb.Outcome_NEW:
		r.Accepted++
	case relaypb.Outcome_DUPLICATE:
		if resent {
			r.Found++
		} else {
			r.Duplicate++
		}
	case relaypb.Outcome_EPHEMERAL:
		r.Ephemeral++
	case relaypb.Outcome_REPLACED:
		r.Replaced++
	case relaypb.Outcome_ERROR:
		r.Failed++
	default:
		reason := v.Text
		if _, known := r.Rejected[reason]; !known && len(r.Rejected) >= maxReasons {
			reason = otherReasons
		}
		r.Rejected[reason]++
	}
}

// Rejections is the number of events that were rejected.
func (r *Result) Rejections() int {
	n := 0
	for _, k := range r.Rejected {
		n += k
	}
	return n
}

// Lines is the number of all lines that have met their fate.
func (r *Result) Lines() int {
	return r.Accepted + r.Found + r.Ephemeral + r.Duplicate + r.Replaced + r.TooLong + r.Rejections() + r.Failed + r.Unanswered
}

// Complete says whether every line got an answer that is final.
func (r *Result) Complete() bool { return r.Failed == 0 && r.Unanswered == 0 }

// Write prints the counts for a person.
func (r *Result) Write(w io.Writer) error {
	var b strings.Builder
	rate := 0.0
	if r.Took > 0 {
		rate = float64(r.Lines()) / r.Took.Seconds()
	}
	fmt.Fprintf(&b, "%s events in %s (%s/s)\n", Thousands(r.Lines()), r.Took.Round(10*time.Millisecond), Thousands(int(rate)))
	if r.Before > 0 {
		fmt.Fprintf(&b, "went on behind %s lines that had been imported\n", Thousands(r.Before))
	}
	row := func(n int, what string, always bool) {
		if n > 0 || always {
			fmt.Fprintf(&b, "%12s  %s\n", Thousands(n), what)
		}
	}
	row(r.Accepted, "accepted", true)
	row(r.Found, "accepted, found stored when sent again", false)
	row(r.Ephemeral, "ephemeral, passed on and not stored", false)
	row(r.Duplicate, "duplicate, stored before", true)
	row(r.Replaced, "replaced, a newer version is stored", true)
	row(r.Rejections()+r.TooLong, "rejected", true)
	for _, reason := range slices.SortedFunc(maps.Keys(r.Rejected), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.Rejected[b], r.Rejected[a]), cmp.Compare(a, b))
	}) {
		fmt.Fprintf(&b, "%16s%s × %s\n", "", Thousands(r.Rejected[reason]), reason)
	}
	if r.TooLong > 0 {
		fmt.Fprintf(&b, "%16s%s × line too long\n", "", Thousands(r.TooLong))
	}
	row(r.Failed, "failed in the relay, worth another try", false)
	row(r.Unanswered, "unanswered", false)
	_, err := io.WriteString(w, b.String())
	return err
}

// Thousands writes n with commas: 11,017.
func Thousands(n int) string {
	text := fmt.Sprint(n)
	sign := ""
	if n < 0 {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}
