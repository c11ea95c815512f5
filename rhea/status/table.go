package status

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"rhea/proto/subject"
)

// figure is a statistic that the table shows of a stage, in words.
type figure struct {
	stat  string
	words string
	rate  bool // its change per second, not its value
}

// figures lists what an operator looks at first, by stage. A statistic that is
// not reported is 0.
func figures(stage subject.Stage) []figure {
	switch stage {
	case subject.Gateway:
		return []figure{{"conns", "connections", false}, {"subs", "subscriptions", false},
			{"events", "events in", true}, {"stored_events", "stored out", true}, {"deliveries", "live out", true}}
	case subject.Ingester:
		return []figure{{"received", "events in", true}, {"admitted", "admitted", true}, {"inbox_waiting", "waiting", false}}
	case subject.Writer:
		return []figure{{"received", "events in", true}, {"commits", "commits", true}, {"scans", "scan slices", true},
			{"commits_waiting", "commits waiting", false}}
	case subject.Reqworker:
		return []figure{{"queries", "queries", true}, {"running", "running", false}, {"events", "events out", true}}
	case subject.Monitor:
		return []figure{{"watches", "watches", false}, {"commits", "events matched", true}, {"recipients", "recipients", true},
			{"waiting", "waiting", false}}
	case subject.Negentropy:
		return []figure{{"sessions", "sessions", false}, {"messages", "messages", true}}
	}
	return nil
}

// Write prints the report for a person.
func (r Report) Write(w io.Writer) error {
	var b strings.Builder
	if len(r.Processes) == 0 {
		b.WriteString("nobody is on the bus\n")
	} else {
		fmt.Fprintf(&b, "%d processes · %d shards · seq %d · version %s\n\n",
			len(r.Processes), r.Shards, r.Seq, strings.Join(r.Versions(), ", "))
		r.table(&b)
	}
	for i, warning := range r.Warnings {
		if i == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "warning: %s\n", warning)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Report) table(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	columns := []string{"STAGE", "INSTANCE", "PID", "HOST", "UP", "SHARDS", "SEQ", "LAG", "WORK"}
	mixed := len(r.Versions()) > 1
	if mixed {
		columns = append(columns[:8], "VERSION", "WORK")
	}
	fmt.Fprintln(t, strings.Join(columns, "\t"))
	for _, p := range r.Processes {
		cells := []string{string(p.Stage), p.Instance, fmt.Sprint(p.PID), p.Host,
			Uptime(p.Uptime), Shards(p), seq(p), lag(p)}
		if mixed {
			cells = append(cells, p.Version)
		}
		fmt.Fprintln(t, strings.Join(append(cells, p.work()), "\t"))
	}
	_ = t.Flush() // into memory
}

// Shards writes the shards that a process listens on as "0-3, 7", "-" for none.
func Shards(p Process) string {
	if len(p.Owned) == 0 {
		return "-"
	}
	return ranges(p.Owned)
}

func seq(p Process) string {
	if p.Stage != subject.Writer && p.Stage != subject.Monitor {
		return "-"
	}
	return fmt.Sprint(p.Seq)
}

func lag(p Process) string {
	if p.Lag == nil {
		return "-"
	}
	return fmt.Sprint(*p.Lag)
}

func (p Process) work() string {
	var parts []string
	if p.Leaving {
		parts = append(parts, "leaving")
	}
	for _, f := range figures(p.Stage) {
		if f.rate {
			parts = append(parts, Short(p.Rates[f.stat])+" "+f.words+"/s")
		} else {
			parts = append(parts, Short(p.Stats[f.stat])+" "+f.words)
		}
	}
	return strings.Join(parts, ", ")
}

// Short writes a number in few characters: 0.4, 12, 1350, 25.3k.
func Short(n float64) string {
	switch {
	case math.Abs(n) < 10 && n != math.Trunc(n):
		return fmt.Sprintf("%.1f", n)
	case math.Abs(n) < 10_000:
		return fmt.Sprintf("%.0f", n)
	case math.Abs(n) < 10_000_000:
		return fmt.Sprintf("%.1fk", n/1e3)
	}
	return fmt.Sprintf("%.1fM", n/1e6)
}

// Uptime writes seconds with their two largest units: 42s, 3m12s, 5h3m, 12d4h.
func Uptime(seconds float64) string {
	d := time.Duration(max(seconds, 0)) * time.Second
	day := 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
}
