package status

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
	"rhea/rhea/whole"
)

// Report is the state of a relay at one moment, as its processes tell it. The
// JSON form is for machines; names are only added to it.
type Report struct {
	At        time.Time `json:"at"`
	Shards    int       `json:"shards"`
	Seq       uint64    `json:"seq"`   // the writer's
	Store     string    `json:"store"` // identity of the store, hex; "" without a writer
	Processes []Process `json:"processes"`
	Warnings  []string  `json:"warnings"` // never nil
}

// Process is one process of a relay.
type Process struct {
	Stage    subject.Stage      `json:"stage"`
	Instance string             `json:"instance"`
	Host     string             `json:"host"`
	PID      int                `json:"pid"`
	Version  string             `json:"version"`
	Started  time.Time          `json:"started"`
	Uptime   float64            `json:"uptime_seconds"`
	Leaving  bool               `json:"leaving"`
	Owned    []uint32           `json:"owned"` // shards, ascending; never nil
	Seq      uint64             `json:"seq,omitempty"`
	Lag      *uint64            `json:"lag,omitempty"` // of a monitor, behind the writer
	Stats    map[string]float64 `json:"stats"`
	Rates    map[string]float64 `json:"rates"` // change of each statistic per second
}

// report makes a Report of what was heard.
func (c *collector) report(shards int, now time.Time) Report {
	r := Report{At: now.UTC(), Shards: shards, Warnings: []string{}, Processes: []Process{}}
	for _, h := range c.processes {
		if m := h.last; m.Stage == string(subject.Writer) && m.Seq >= r.Seq {
			r.Seq, r.Store = m.Seq, fmt.Sprintf("%016x", m.Store)
		}
	}
	for _, h := range c.processes {
		r.Processes = append(r.Processes, process(h, r.Seq, now))
	}
	slices.SortFunc(r.Processes, func(a, b Process) int {
		return cmp.Or(
			cmp.Compare(slices.Index(subject.Stages(), a.Stage), slices.Index(subject.Stages(), b.Stage)),
			a.Started.Compare(b.Started), cmp.Compare(a.Instance, b.Instance))
	})
	r.Warnings = append(r.Warnings, r.gaps()...)
	for _, p := range r.Processes {
		if n := p.Stats["bus_dropped"]; n > 0 {
			r.Warnings = append(r.Warnings, fmt.Sprintf("%s %s: %.0f bus messages found its inbox full and were dropped", p.Stage, p.Instance, n))
		}
	}
	return r
}

func process(h *heard, head uint64, now time.Time) Process {
	m := h.last
	p := Process{
		Stage: subject.Stage(m.Stage), Instance: subject.Instance(m.Instance).String(), Host: m.Host, PID: int(m.Pid),
		Version: m.Version, Started: time.UnixMilli(m.Started).UTC(), Leaving: m.Leaving,
		Owned: slices.Sorted(slices.Values(m.Owned)), Seq: m.Seq, Stats: m.Stats, Rates: h.rates(),
	}
	p.Uptime = now.Sub(p.Started).Seconds()
	if p.Owned == nil {
		p.Owned = []uint32{}
	}
	if p.Stats == nil {
		p.Stats = map[string]float64{}
	}
	if p.Rates == nil {
		p.Rates = map[string]float64{}
	}
	if p.Stage == subject.Monitor {
		lag := head - min(head, m.Seq)
		p.Lag = &lag
	}
	return p
}

// gaps finds what nobody does.
func (r *Report) gaps() []string {
	var warnings []string
	for _, stage := range subject.Stages() {
		n, owned := 0, make(map[uint32]bool)
		for _, p := range r.Processes {
			if p.Stage != stage {
				continue
			}
			n++
			for _, sh := range p.Owned {
				owned[sh] = true
			}
		}
		switch {
		case n == 0:
			warnings = append(warnings, fmt.Sprintf("there is no %s", stage))
		case stage == subject.Writer && n > 1:
			warnings = append(warnings, fmt.Sprintf("there are %d writers, and there must be one", n))
		case slices.Contains(whole.Sharded(), stage):
			var free []uint32
			for sh := range uint32(r.Shards) {
				if !owned[sh] {
					free = append(free, sh)
				}
			}
			if len(free) > 0 {
				warnings = append(warnings, fmt.Sprintf("%s: nobody listens on shards %s", stage, ranges(free)))
			}
		}
	}
	return warnings
}

// ranges writes ascending numbers as "0-3, 7".
func ranges(list []uint32) string {
	var parts []string
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		part := strconv.Itoa(int(list[i]))
		if j > i {
			part += "-" + strconv.Itoa(int(list[j]))
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, ", ")
}

// Versions lists the versions that run.
func (r *Report) Versions() []string {
	seen := make(map[string]bool)
	for _, p := range r.Processes {
		seen[p.Version] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// deploymentShards is how many shards the processes say there are, fallback if
// there are none.
func (c *collector) deploymentShards(fallback int) int {
	var first *relaypb.Member
	for _, h := range c.processes {
		if first == nil || h.last.Started < first.Started {
			first = h.last
		}
	}
	if first == nil {
		return fallback
	}
	return int(first.Shards)
}
