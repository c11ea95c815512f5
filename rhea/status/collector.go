package status

import (
	"slices"
	"time"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// silence is how long a process may say nothing until it is taken for dead, as in
// package bus.
const silence = 2500 * time.Millisecond

// span is how far back rates look: the older of the two announcements that a rate
// is computed from is the youngest one before it.
const span = 900 * time.Millisecond

// maxProcesses bounds how many are shown, as in package bus.
const maxProcesses = 1024

// collector gathers announcements. It belongs to one goroutine.
type collector struct {
	processes map[subject.Instance]*heard
}

// heard is what one process has said.
type heard struct {
	last     *relaypb.Member
	lastAt   time.Time
	before   *relaypb.Member // nil until span has passed
	beforeAt time.Time
	since    []said // announcements younger than span, oldest first
}

type said struct {
	m  *relaypb.Member
	at time.Time
}

func newCollector() *collector {
	return &collector{processes: make(map[subject.Instance]*heard)}
}

// hear takes an announcement in. One that no process of ours can have made is
// left out.
func (c *collector) hear(m *relaypb.Member, now time.Time) {
	i := subject.Instance(m.Instance)
	if m.Gone {
		delete(c.processes, i)
		return
	}
	h := c.processes[i]
	known := slices.Contains(subject.Stages(), subject.Stage(m.Stage)) && i != 0 && 0 < m.Shards && m.Shards <= subject.MaxShards
	if !known || h == nil && len(c.processes) >= maxProcesses {
		return
	}
	if h == nil {
		h = &heard{}
		c.processes[i] = h
	}
	h.last, h.lastAt = m, now
	h.since = append(h.since, said{m, now})
	for len(h.since) > 0 && now.Sub(h.since[0].at) >= span {
		h.before, h.beforeAt = h.since[0].m, h.since[0].at
		h.since = h.since[1:]
	}
}

// bury forgets who has been silent for too long.
func (c *collector) bury(now time.Time) {
	for i, h := range c.processes {
		if now.Sub(h.lastAt) > silence {
			delete(c.processes, i)
		}
	}
}

// rates is the change of each statistic in a second, nil before two
// announcements far enough apart have come.
func (h *heard) rates() map[string]float64 {
	seconds := h.lastAt.Sub(h.beforeAt).Seconds()
	if h.before == nil || seconds <= 0 {
		return nil
	}
	rates := make(map[string]float64, len(h.last.Stats))
	for name, value := range h.last.Stats {
		rates[name] = (value - h.before.Stats[name]) / seconds
	}
	return rates
}
