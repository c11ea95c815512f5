package top

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"rhea/proto/subject"
	"rhea/rhea/status"
)

// busy is a relay at work, with an ingester that has trouble and a host whose name
// would clear the screen.
func busy() status.Report {
	process := func(stage subject.Stage, instance string, stats, rates map[string]float64, owned ...uint32) status.Process {
		return status.Process{Stage: stage, Instance: instance, Host: "box", Uptime: 3723, Version: "v1", Owned: owned, Stats: stats, Rates: rates}
	}
	type m = map[string]float64
	r := status.Report{At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Shards: 4, Seq: 123456, Warnings: []string{"there is no negentropy"}}
	r.Processes = []status.Process{
		process(subject.Writer, "00000001", m{"commits_waiting": 2, "inbox_waiting": 1},
			m{"received": 1200, "verdicts.new": 1100, "scans": 60, "commit_seconds.count": 50, "commit_seconds.sum": 0.25}),
		process(subject.Monitor, "00000002", m{"watches": 900_000, "watches_limit": 1_000_000, "log_lag": 2500}, m{"commits": 1100, "recipients": 25_300}, 0, 1, 2, 3),
		process(subject.Reqworker, "00000003", m{"running": 20, "running_limit": 20_000}, m{"queries": 40, "events": 3000}, 0, 1, 2, 3),
		process(subject.Ingester, "00000004", m{"inbox_waiting": 1500}, m{"received": 500, "admitted": 450}, 0, 1),
		process(subject.Ingester, "00000005", m{}, m{"received": 700, "admitted": 650, "batch_seconds.count": 700, "batch_seconds.sum": 0.07}, 2, 3),
		process(subject.Gateway, "00000006", m{"conns": 120, "subs": 340, "window_bytes": 100, "window_limit_bytes": 1000},
			m{"events": 1200, "events_accepted": 1090, "events_refused": 3, "queries": 40, "deliveries": 25_300}),
	}
	r.Processes[3].Host, r.Processes[3].Leaving = "ev\x1b[2Jil", true
	return r
}

func text(lines []Line) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.Text() + "\n")
	}
	return b.String()
}

// The frame of a relay at work, as an operator reads it.
func TestFrame(t *testing.T) {
	v := View{}
	v.hear(busy(), false)
	want := `rhea  03:04:05  6 processes  4 shards  seq 123456  up 1h2m  v1
events in 1200/s  accepted 1090/s  refused 3/s  queries 40/s  live out 25.3k/s  conns 120  subs 340

gateway ── 1200/s ───► ingester ── 1100/s ───► writer ── 1100/s ───► monitor ─ 25.3k/s ─►
   └─────── 40/s ────► reqworker ──── 60/s ────┘

STAGE             INSTANCE  HOST       UP  SHARDS  IN/s  OUT/s  WAIT  FULL   TIME   LAG
gateway           00000006  box      1h2m  -       1200  25.3k     0   10%      -     -
ingester leaving  00000004  ev[2Jil  1h2m  0-1      500    450  1500     -      -     -
ingester          00000005  box      1h2m  2-3      700    650     0     -  100µs     -
writer            00000001  box      1h2m  -       1200   1100     3     -  5.0ms     -
monitor           00000002  box      1h2m  0-3     1100  25.3k     0   90%      -  2500
reqworker         00000003  box      1h2m  0-3       40   3000     0    0%      -     -

warning: there is no negentropy
`
	if got := text(v.Frame(0, 0)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Whatever the size, nothing is wider or higher than the screen, the picture goes
// before the table does, and the last line says which keys there are.
func TestFrameFits(t *testing.T) {
	for _, v := range []View{{}, {Help: true}, {Away: true}, {Report: busy(), Heard: true}, {Report: busy(), Heard: true, Away: true}} {
		for width := 1; width < 130; width += 3 {
			for height := 1; height < 40; height++ {
				lines := v.Frame(width, height)
				if len(lines) > height {
					t.Fatalf("%d lines on a screen of %d", len(lines), height)
				}
				for _, l := range lines {
					if l.width() > width || utf8.RuneCountInString(l.Text()) > width {
						t.Fatalf("%q on a screen of %d", l.Text(), width)
					}
				}
				if keys := lines[len(lines)-1].Text(); !strings.HasPrefix(" q quit  p pause", keys[:min(len(keys), width, 16)]) {
					t.Fatalf("the last line is %q", keys)
				}
			}
		}
	}
	narrow := text(View{Report: busy(), Heard: true}.Frame(60, 40))
	if strings.Contains(narrow, "►") || strings.Contains(narrow, "HOST") || !strings.Contains(narrow, "LAG") {
		t.Errorf("on a narrow screen:\n%s", narrow)
	}
}

// What comes from the bus is shown as text and never acts on the terminal; what is
// to be looked at is red.
func TestFrameOnATerminal(t *testing.T) {
	v := View{Report: busy(), Heard: true}
	v.Report.Warnings = []string{"\x1b]0;title\x07 \u009b2J \x00\r\n"}
	screen := page(v, 120, 40)
	for _, line := range strings.Split(strings.TrimSuffix(screen, endPage), "\r\n") {
		for _, part := range strings.Split(line, "\x1b[")[1:] {
			if end := strings.IndexAny(part, "mHK"); end < 0 || strings.Trim(part[:end], "0123456789;") != "" {
				t.Errorf("a sequence that is not ours: %q", part)
			}
		}
		if strings.ContainsAny(line, "\x00\x07\r\n\u009b") || strings.Contains(line, "\x1b]") {
			t.Errorf("control characters: %q", line)
		}
	}
	for _, alarm := range []string{"1500", "90%", "2500"} {
		if !strings.Contains(screen, "\x1b[1;31m"+alarm+"\x1b[m") {
			t.Errorf("%s is not red", alarm)
		}
	}
}

// What each key does, and what a bus that is away leaves to be seen.
func TestView(t *testing.T) {
	v := View{}
	v.hear(busy(), true)
	if got := text(v.Frame(80, 0)); got != "the bus is away, waiting\n" {
		t.Errorf("at first: %q", got)
	}
	v.hear(busy(), false)
	v.hear(status.Report{}, true)
	if got := text(v.Frame(200, 0)); !strings.Contains(got, "the bus is away, waiting;") || !strings.Contains(got, "seq 123456") {
		t.Errorf("the bus went away:\n%s", got)
	}
	v.hear(status.Report{}, false) // the bus stands still
	if !v.Away || v.Report.Seq != 123456 {
		t.Error("silence is taken for news")
	}
	v.press('p')
	news := busy()
	news.Seq = 99
	v.hear(news, false)
	if v.Report.Seq != 123456 || !strings.Contains(text(v.Frame(200, 0)), "paused") {
		t.Error("p does not pause")
	}
	v.press('p')
	v.hear(busy(), false)
	first := func() string { return v.processes()[0].Instance }
	for _, want := range []string{"00000001", "00000004", "00000001", "00000006"} { // rate, waiting, time, stage
		v.press('s')
		if got := first(); got != want {
			t.Errorf("by %s %s is first, want %s", v.Order, got, want)
		}
	}
	v.press('?')
	if !strings.Contains(text(v.Frame(200, 0)), "this page") {
		t.Error("? does not help")
	}
	v.press(27)
	if v.Help || v.press('x') || !v.press('q') || !v.press(3) {
		t.Error("escape, x, q or control-C does not do what it should")
	}
}
