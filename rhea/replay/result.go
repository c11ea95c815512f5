package replay

import (
	"fmt"
	"strings"
	"time"

	"rhea/rhea/tap"
)

// Result is what has come of a replay.
type Result struct {
	Messages int        // of the recording, read
	Asked    [kinds]int // questions, by what they ask
	Answered int
	Same     int
	// Differing questions have other answers than in the recording; Unanswered ones
	// have none.
	Differing, Unanswered int
	// What is not compared: questions whose answers differ in what chance decides;
	// whose recorded answer is an error of the relay itself; that the recording does
	// not have all of.
	ByChance, OwnFault, Unfinished int
	Foreign                        int // messages about what was asked before the recording began
	// Skipped questions are not asked: subscriptions whose REQ the replay has closed,
	// AUTHs that are redacted or too old for the clock of the stages under test.
	Skipped int
	Lost    int    // messages of the replay that did not arrive, and were made good
	GivenUp int    // waits that were given up
	Before  bool   // the store held events before the recording began
	Missing uint64 // messages that the recorder has missed, as it says
	Holes   int    // damaged pieces of the recording, and reconnects of the recorder
	Cut     error  // the recording has no end; nil when it has
	Ended   bool   // by the operator, before the end
	Took    time.Duration
}

// note takes in what the recorder has to say.
func (r *Result) note(n tap.Note) {
	switch n.Kind {
	case tap.Dropped:
		r.Missing += n.Count
	case tap.Reconnected:
		r.Holes++
	}
}

func (r *Result) count(v verdict) {
	switch v {
	case same:
		r.Same++
	case different:
		r.Differing++
	case byChance:
		r.ByChance++
	case ownFault:
		r.OwnFault++
	case unfinished:
		r.Unfinished++
	case unanswered:
		r.Unanswered++
	}
}

// Questions is how many were asked.
func (r *Result) Questions() int {
	n := 0
	for _, x := range r.Asked {
		n += x
	}
	return n
}

// Matches says whether all that can be compared is as it was.
func (r *Result) Matches() bool { return r.Differing == 0 && r.Unanswered == 0 }

// String is the report at the end.
func (r *Result) String() string {
	var b strings.Builder
	rate := 0.0
	if r.Took > 0 {
		rate = float64(r.Questions()) / r.Took.Seconds()
	}
	fmt.Fprintf(&b, "%d messages, %d questions in %s (%.0f/s)\n", r.Messages, r.Questions(), r.Took.Round(time.Millisecond), rate)
	for k, n := range r.Asked {
		if n > 0 {
			fmt.Fprintf(&b, "%10d  %s\n", n, kind(k))
		}
	}
	row := func(n int, what string, always bool) {
		if n > 0 || always {
			fmt.Fprintf(&b, "%10d  %s\n", n, what)
		}
	}
	row(r.Answered, "answered", true)
	row(r.Same, "as recorded", true)
	row(r.Differing, "different", true)
	row(r.Unanswered, "unanswered", false)
	row(r.ByChance, "differ in what was under way at the same time, not compared", false)
	row(r.OwnFault, "were an error of the recorded relay itself, not compared", false)
	row(r.Unfinished, "are not whole in the recording, depend on what was stored before it, or expire, not compared", false)
	row(r.Skipped, "not asked: subscriptions whose REQ was closed, AUTHs that are redacted or out of date", false)
	row(r.Foreign, "messages about what was asked before the recording began", false)
	row(r.GivenUp, "waits given up", false)
	row(r.Lost, "messages of the replay lost, and made good", false)
	row(int(r.Missing), "messages that the recorder has missed", false)
	row(r.Holes, "holes in the recording", false)
	if r.Before {
		b.WriteString("the recording begins with a store that is not empty: what was in it is not compared\n")
	}
	return b.String()
}
