package bench

import (
	"fmt"
	"slices"
	"strings"
)

// Ratio compares two relays at one workload: the first by the second, so that for
// latency, CPU, memory and disk less than 1 is better, and for the rate more. Of
// several rounds it is the median of their ratios. What one of the two has not is 0.
type Ratio struct {
	Workload string  `json:"workload"`
	Rounds   int     `json:"rounds"`
	Rate     float64 `json:"rate"`
	P50      float64 `json:"p50"`
	P99      float64 `json:"p99"`
	CPU      float64 `json:"cpu"`
	PSS      float64 `json:"pss"`
	Disk     float64 `json:"disk"`
}

// ratios pairs the results of two relays, round by round.
func ratios(results []Result, first, second string) (list []Ratio) {
	var names []string
	for _, r := range results {
		if !slices.Contains(names, r.Workload) {
			names = append(names, r.Workload)
		}
	}
	for _, name := range names {
		pairs := pairsOf(results, name, first, second)
		if len(pairs) == 0 {
			continue
		}
		median := func(of func(Result) float64) float64 {
			var all []float64
			for _, p := range pairs {
				if a, b := of(p[0]), of(p[1]); a > 0 && b > 0 {
					all = append(all, a/b)
				}
			}
			if len(all) == 0 {
				return 0
			}
			slices.Sort(all)
			return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
		}
		list = append(list, Ratio{
			Workload: name, Rounds: len(pairs),
			Rate: median(func(r Result) float64 { return r.Rate }),
			P50:  median(func(r Result) float64 { return r.Latency.P50 }),
			P99:  median(func(r Result) float64 { return r.Latency.P99 }),
			CPU:  median(func(r Result) float64 { return r.CPU }),
			PSS:  median(func(r Result) float64 { return float64(r.PSS) }),
			Disk: median(func(r Result) float64 { return float64(r.Disk) }),
		})
	}
	return list
}

// pairsOf are the rounds of a workload that both relays have done.
func pairsOf(results []Result, workload, first, second string) (pairs [][2]Result) {
	for _, a := range results {
		if a.Workload != workload || a.Relay != first || a.Error != "" {
			continue
		}
		for _, b := range results {
			if b.Workload == workload && b.Relay == second && b.Round == a.Round && b.Error == "" {
				pairs = append(pairs, [2]Result{a, b})
			}
		}
	}
	return pairs
}

// compared is the table of ratios.
func compared(list []Ratio, first, second string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s by %s: rate, more is better; the rest, less is better\n", first, second)
	fmt.Fprintf(&b, "%-22s %6s %8s %8s %8s %8s %8s %8s\n", "workload", "rounds", "rate", "p50", "p99", "CPU", "PSS", "disk")
	for _, r := range list {
		fmt.Fprintf(&b, "%-22s %6d %8s %8s %8s %8s %8s %8s\n", r.Workload, r.Rounds,
			times(r.Rate), times(r.P50), times(r.P99), times(r.CPU), times(r.PSS), times(r.Disk))
	}
	return b.String()
}

func times(v float64) string {
	if v == 0 {
		return "–"
	}
	return short(v)
}
