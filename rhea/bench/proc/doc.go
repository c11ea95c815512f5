// Package proc reads from the kernel what processes cost: CPU time, wake-ups,
// memory, and the disk that a folder takes. It looks from outside, so any relay can
// be measured alike, and what is measured does no work for it.
//
// It knows Linux's /proc; elsewhere every reading is an error.
package proc

import "time"

// Usage is what some processes have used since they started.
type Usage struct {
	CPU     time.Duration
	Wakeups uint64 // voluntary context switches: times that a thread slept and was woken
}

// Usages are by the name of the process, such as "gateway".
type Usages map[string]Usage

// Since returns what was used after before was read. A name that is new counts in
// full; one that is gone does not count.
func (u Usages) Since(before Usages) Usages {
	diff := make(Usages, len(u))
	for name, now := range u {
		was := before[name]
		diff[name] = Usage{now.CPU - min(was.CPU, now.CPU), now.Wakeups - min(was.Wakeups, now.Wakeups)}
	}
	return diff
}

// Total is the sum over all names.
func (u Usages) Total() (sum Usage) {
	for _, one := range u {
		sum.CPU += one.CPU
		sum.Wakeups += one.Wakeups
	}
	return sum
}

// Memory is what processes hold, in bytes.
type Memory struct {
	RSS int64 // pages in memory, those shared with others counted in each
	PSS int64 // the same, a shared page counted in parts
}

// Memories are by the name of the process.
type Memories map[string]Memory

// Total is the sum over all names.
func (m Memories) Total() (sum Memory) {
	for _, one := range m {
		sum.RSS += one.RSS
		sum.PSS += one.PSS
	}
	return sum
}
