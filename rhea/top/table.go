package top

import (
	"fmt"
	"time"
	"unicode/utf8"

	"rhea/proto/subject"
	"rhea/rhea/status"
)

// Levels from which a figure is shown as one to look at.
const (
	muchWaits  = 1000
	nearlyFull = 0.8
	farBehind  = 1000
)

// left says which columns are words; numbers stand at the right.
var left = map[int]bool{0: true, 1: true, 2: true, 4: true}

// spared are the columns that a narrow screen goes without, in this order.
var spared = []int{2, 3, 4, 1}

// table has what fits of the processes in a width.
func (v View) table(width int) []Line {
	rows := [][]piece{{{"STAGE", faint}, {"INSTANCE", faint}, {"HOST", faint}, {"UP", faint}, {"SHARDS", faint},
		{"IN/s", faint}, {"OUT/s", faint}, {"WAIT", faint}, {"FULL", faint}, {"TIME", faint}, {"LAG", faint}}}
	for _, p := range v.processes() {
		rows = append(rows, row(p))
	}
	widths := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, c := range r {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	wide := -2
	for _, n := range widths {
		wide += 2 + n
	}
	for _, i := range spared {
		if wide > width {
			wide -= 2 + widths[i]
			widths[i] = 0
		}
	}
	var lines []Line
	for _, r := range rows {
		var l Line
		for i, c := range r {
			if widths[i] == 0 {
				continue
			}
			if i > 0 {
				l = l.add(plain, "  ")
			}
			pad := fmt.Sprintf("%*s", widths[i]-utf8.RuneCountInString(c.text), "")
			if left[i] {
				l = l.add(c.style, c.text).add(plain, pad)
			} else {
				l = l.add(plain, pad).add(c.style, c.text)
			}
		}
		lines = append(lines, l)
	}
	return lines
}

func row(p status.Process) []piece {
	name := strong
	stage := string(p.Stage)
	if p.Leaving {
		name, stage = faint, stage+" leaving"
	}
	shards := status.Shards(p)
	w := workOf(p.Stage)
	return []piece{{stage, name}, {p.Instance, faint}, {clip(p.Host, 16), plain}, {status.Uptime(p.Uptime), plain}, {clip(shards, 16), plain},
		{status.Short(rate(p)), plain}, {status.Short(p.Rates[w.out]), plain},
		alarmed(status.Short(waiting(p)), waiting(p) >= muchWaits), full(p), {duration(mean(p)), plain}, lag(p)}
}

// clip shortens a text that would push all else off the screen.
func clip(text string, width int) string {
	text = Line{}.add(plain, text)[0].text
	if r := []rune(text); len(r) > width {
		return string(r[:width-1]) + "…"
	}
	return text
}

func alarmed(text string, alarm bool) piece {
	if alarm {
		return piece{text, bad}
	}
	return piece{text, plain}
}

func full(p status.Process) piece {
	part, bounded := fill(p)
	if !bounded {
		return piece{"-", faint}
	}
	return alarmed(fmt.Sprintf("%.0f%%", 100*part), part >= nearlyFull)
}

func lag(p status.Process) piece {
	if p.Stage != subject.Monitor && p.Stage != subject.Negentropy {
		return piece{"-", faint}
	}
	n := p.Stats["log_lag"]
	return alarmed(status.Short(n), n >= farBehind)
}

// duration writes seconds in few characters; 0 is no work.
func duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d <= 0:
		return "-"
	case d < time.Millisecond:
		return fmt.Sprintf("%dµs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%.1fms", d.Seconds()*1000)
	}
	return fmt.Sprintf("%.1fs", d.Seconds())
}
