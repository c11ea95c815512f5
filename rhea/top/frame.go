package top

import (
	"fmt"
	"strconv"
	"strings"

	"rhea/proto/subject"
	"rhea/rhea/status"
)

// drawing is how wide a screen must be for the picture of the pipeline.
const drawing = 78

// Frame is the view on a screen of a size, in characters. A width or height of 0 is
// no bound.
func (v View) Frame(width, height int) []Line {
	if width <= 0 {
		width = 1 << 10
	}
	var lines []Line
	switch {
	case v.Help:
		lines = help()
	case !v.Heard && v.Away:
		lines = []Line{Line{}.add(bad, "the bus is away, waiting")}
	case !v.Heard:
		lines = []Line{Line{}.add(faint, "listening …")}
	default:
		lines = v.relay(width)
	}
	if height > 0 {
		foot := Line{}.add(bar, " q quit  p pause  s sort: "+v.Order.String()+"  ? help ")
		lines = append(lines[:min(len(lines), max(0, height-1))], foot)
	}
	for i := range lines {
		lines[i] = lines[i].fit(width)
	}
	return lines
}

func (v View) relay(width int) []Line {
	lines := []Line{v.header()}
	if v.Away {
		lines = append(lines, Line{}.add(bad, "the bus is away, waiting; this is what was last heard"))
	}
	if len(v.Report.Processes) == 0 {
		return append(lines, Line{}.add(bad, "nobody is on the bus"))
	}
	lines = append(lines, v.totals())
	if width >= drawing {
		lines = append(lines, Line{})
		lines = append(lines, v.picture()...)
	}
	lines = append(lines, Line{})
	lines = append(lines, v.table(width)...)
	for i, warning := range v.Report.Warnings {
		if i == 0 {
			lines = append(lines, Line{})
		}
		lines = append(lines, Line{}.add(bad, "warning: ").add(plain, warning))
	}
	return lines
}

func (v View) header() Line {
	r := &v.Report
	longest := 0.0
	for _, p := range r.Processes {
		longest = max(longest, p.Uptime)
	}
	l := Line{}.add(strong, "rhea")
	if v.Paused {
		l = l.add(warm, "  paused")
	}
	return l.add(plain, fmt.Sprintf("  %s  %d processes  %d shards  seq ", r.At.Format("15:04:05"), len(r.Processes), r.Shards)).
		add(strong, strconv.FormatUint(r.Seq, 10)).add(plain, "  up "+status.Uptime(longest)+"  "+strings.Join(r.Versions(), ", "))
}

// totals are the relay's, as its clients see it.
func (v View) totals() Line {
	list, l := v.Report.Processes, Line{}
	for _, t := range []struct {
		name  string
		value float64
		unit  string
		style style
	}{
		{"events in", ratesOf(list, subject.Gateway, "events"), "/s", plain},
		{"accepted", ratesOf(list, subject.Gateway, "events_accepted"), "/s", good},
		{"refused", ratesOf(list, subject.Gateway, "events_refused"), "/s", warm},
		{"queries", ratesOf(list, subject.Gateway, "queries"), "/s", plain},
		{"live out", ratesOf(list, subject.Gateway, "deliveries"), "/s", plain},
		{"conns", statsOf(list, subject.Gateway, "conns"), "", plain},
		{"subs", statsOf(list, subject.Gateway, "subs"), "", plain},
	} {
		if len(l) > 0 {
			l = l.add(plain, "  ")
		}
		if t.value == 0 {
			t.style = plain
		}
		l = l.add(faint, t.name+" ").add(t.style, status.Short(t.value)+t.unit)
	}
	return l
}

// picture is the pipeline with what flows on its arrows.
func (v View) picture() []Line {
	list := v.Report.Processes
	arrow := func(n float64, width int) string {
		text := " " + status.Short(n) + "/s "
		dashes := max(2, width-1-len(text))
		return strings.Repeat("─", dashes/2) + text + strings.Repeat("─", dashes-dashes/2) + "►"
	}
	in, admitted := ratesOf(list, subject.Gateway, "events"), ratesOf(list, subject.Ingester, "admitted")
	stored, live := ratesOf(list, subject.Writer, "verdicts.new"), ratesOf(list, subject.Monitor, "recipients")
	queries, scans := ratesOf(list, subject.Reqworker, "queries"), ratesOf(list, subject.Writer, "scans")
	return []Line{
		Line{}.add(strong, "gateway ").add(plain, arrow(in, 14)).add(strong, " ingester ").add(plain, arrow(admitted, 14)).
			add(strong, " writer ").add(plain, arrow(stored, 14)).add(strong, " monitor ").add(plain, arrow(live, 0)),
		Line{}.add(plain, "   └────"+arrow(queries, 14)).add(strong, " reqworker ").add(plain, strings.TrimSuffix(arrow(scans, 15), "►")+"┘"),
	}
}

func help() []Line {
	var lines []Line
	for _, text := range []string{
		"q  quit            p  pause, and go on       s  sort by stage, rate, waiting, time",
		"?  this page, and back",
		"",
		"IN, OUT   what the process takes and what comes of it, a second:",
	} {
		lines = append(lines, Line{}.add(plain, text))
	}
	for _, s := range subject.Stages() {
		w := workOf(s)
		lines = append(lines, Line{}.add(plain, fmt.Sprintf("            %-11s %s, %s", s, w.inIs, w.outIs)))
	}
	for _, text := range []string{
		"WAIT      what waits inside: messages, commits, slices of queries",
		"FULL      how much is used of what bounds it: the gateway's window of unanswered",
		"          messages, running queries, watches, sessions",
		"TIME      how long its work took, on average over the last second",
		"LAG       how many entries of the log are not read yet",
	} {
		lines = append(lines, Line{}.add(plain, text))
	}
	return lines
}
