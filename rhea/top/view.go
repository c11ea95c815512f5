package top

import (
	"cmp"
	"slices"

	"rhea/proto/subject"
	"rhea/rhea/status"
)

// View is what is to be seen. The zero value has heard nothing yet. It belongs to
// one goroutine.
type View struct {
	Report status.Report
	Heard  bool // there is a report
	Away   bool // nobody can be heard; the report is the last one before
	Paused bool // reports are let pass
	Help   bool
	Order  Order
}

// Order is by what the processes are sorted.
type Order uint8

// The orders, as s goes through them.
const (
	ByStage Order = iota
	ByRate
	ByWaiting
	ByTime
	orders
)

func (o Order) String() string {
	return [...]string{"stage", "rate", "waiting", "time"}[o]
}

// hear takes in a report. While the bus is away, or stands still so that nobody is
// heard any more, the last one stays: it says more than an empty one.
func (v *View) hear(r status.Report, away bool) {
	silent := len(r.Processes) == 0 && len(v.Report.Processes) > 0
	v.Away = away || silent
	if !v.Paused && !v.Away {
		v.Report, v.Heard = r, true
	}
}

// press does what a key stands for and says whether that is to end.
func (v *View) press(key byte) (quit bool) {
	const ctrlC, ctrlD, escape = 3, 4, 27
	switch key {
	case 'q', ctrlC, ctrlD:
		return true
	case 'p', ' ':
		v.Paused = !v.Paused
	case 's':
		v.Order = (v.Order + 1) % orders
	case '?', 'h':
		v.Help = !v.Help
	case escape:
		v.Help = false
	}
	return false
}

// processes returns the report's in the order that was chosen.
func (v *View) processes() []status.Process {
	pipeline := []subject.Stage{subject.Gateway, subject.Ingester, subject.Writer, subject.Monitor, subject.Reqworker, subject.Negentropy}
	list := slices.Clone(v.Report.Processes)
	slices.SortStableFunc(list, func(a, b status.Process) int {
		switch v.Order {
		case ByRate:
			return cmp.Compare(rate(b), rate(a))
		case ByWaiting:
			return cmp.Compare(waiting(b), waiting(a))
		case ByTime:
			return cmp.Compare(mean(b), mean(a))
		}
		return cmp.Compare(slices.Index(pipeline, a.Stage), slices.Index(pipeline, b.Stage))
	})
	return list
}
