package bench

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// heading stands above the rows.
func heading() string {
	return fmt.Sprintf("%-22s %-10s %9s %10s  %8s %8s %8s %8s  %20s  %7s %7s\n",
		"workload", "relay", "done", "per s", "p50 ms", "p95", "p99", "max", "relay CPU µs per", "PSS MB", "disk MB")
}

// row is a result for a person: a line of the table, and one below about where the
// CPU went.
func (r Result) row() string {
	var b strings.Builder
	if r.Error != "" {
		return fmt.Sprintf("%-22s %-10s failed: %s\n", r.Workload, r.Relay, r.Error)
	}
	cpu := "–"
	if r.Stages != nil {
		cpu = short(r.CPU) + " " + r.Unit
	}
	fmt.Fprintf(&b, "%-22s %-10s %9d %10s  %8s %8s %8s %8s  %20s  %7s %7s\n", r.Workload, r.Relay, r.Done, short(r.Rate),
		ms(r.Latency.P50), ms(r.Latency.P95), ms(r.Latency.P99), ms(r.Latency.Max), cpu, mb(r.PSS), mb(r.Disk))
	if line := r.bill(); line != "" {
		fmt.Fprintf(&b, "    %s\n", line)
	}
	var figures []string
	for _, name := range slices.Sorted(maps.Keys(r.Figures)) {
		figures = append(figures, strings.ReplaceAll(name, "_", " ")+" "+short(r.Figures[name]))
	}
	if len(figures) > 0 {
		fmt.Fprintf(&b, "    %s\n", strings.Join(figures, " · "))
	}
	if r.Refused > 0 {
		fmt.Fprintf(&b, "    %d refused\n", r.Refused)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "    %s\n", note)
	}
	return b.String()
}

// bill says where the CPU went, most of it first.
func (r Result) bill() string {
	names := slices.SortedFunc(maps.Keys(r.Stages), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.Stages[b], r.Stages[a]), cmp.Compare(a, b))
	})
	var parts []string
	if len(names) > 1 {
		for _, name := range names[:min(len(names), 8)] {
			parts = append(parts, name+" "+short(r.Stages[name]))
		}
	}
	if r.Bus != nil {
		parts = append(parts, fmt.Sprintf("bus %s messages", short(*r.Bus)))
	}
	if r.Stages != nil {
		parts = append(parts, short(r.Wakeups)+" wake-ups")
	}
	parts = append(parts, "client "+short(r.ClientCPU)+" µs")
	if r.Wire > 0 {
		sent := short(r.Wire) + " bytes sent"
		if r.Deflate != "" {
			sent += fmt.Sprintf(" for %s (deflate: %s)", short(r.Text), r.Deflate)
		}
		parts = append(parts, sent)
	}
	return strings.Join(parts, " · ")
}

// short writes three digits that matter, or a whole number.
func short(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 100 || v <= -100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// ms writes microseconds as milliseconds.
func ms(us float64) string {
	if us == 0 {
		return "–"
	}
	return short(us / 1000)
}

func mb(bytes int64) string {
	if bytes == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f", float64(bytes)/1e6)
}
