package importer

import (
	"testing"
	"time"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// A mark counts when all events before it are answered, and not those behind; none
// behind an event that has failed ever does.
func TestMarks(t *testing.T) {
	space, err := subject.New("test", 4)
	if err != nil {
		t.Fatal(err)
	}
	c := newCore(space, 1, false)
	reached := func(want int) {
		t.Helper()
		state, ok := c.reached()["f"]
		if ok != (want > 0) || state.Lines != want {
			t.Fatalf("reached %d, want %d", state.Lines, want)
		}
	}
	answer := func(num uint64, o relaypb.Outcome) { c.verdict(&relaypb.Verdict{Num: num, Outcome: o}) }
	for n := 1; n <= 6; n++ {
		if !c.add(Line{File: "f", Number: n, Event: []byte("{}")}, time.Time{}) {
			t.Fatal("no room")
		}
		c.mark("f", State{Lines: n})
	}
	reached(0)
	answer(2, relaypb.Outcome_NEW)
	reached(0)
	answer(1, relaypb.Outcome_INVALID)
	reached(2)
	reached(0) // said once
	answer(4, relaypb.Outcome_ERROR)
	answer(5, relaypb.Outcome_NEW)
	answer(6, relaypb.Outcome_NEW)
	reached(0)
	answer(3, relaypb.Outcome_DUPLICATE)
	reached(3)
	c.mark("f", State{Lines: 7})
	reached(0)
}
