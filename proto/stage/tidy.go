package stage

import (
	"runtime/debug"
	"runtime/metrics"
)

// Tidier gives memory back to the system when a process has nothing to do. Go keeps
// what a burst of work has left, garbage and free pages, until it has allocated as
// much again or some minutes are over; on a machine of several processes others
// want it. It belongs to one goroutine.
type Tidier struct {
	allocated func() uint64 // bytes, since the process began
	free      func()
	last      uint64 // what was allocated when Look was last called
	tidied    uint64 // and when memory was last given back
}

const (
	// quietBytes is what a process may allocate between two looks that has nothing to
	// do: announcements and a scrape of its metrics take a tenth of it.
	quietBytes = 1 << 20
	// messBytes is what makes it worth a collection, which takes some milliseconds of
	// CPU: as much garbage as there can be. A process that does little is so tidied every
	// few minutes, as the runtime would do itself.
	messBytes = 16 << 20
)

// NewTidier returns a Tidier of this process.
func NewTidier() *Tidier {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	return &Tidier{free: debug.FreeOSMemory, allocated: func() uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}}
}

// Look is called every PollEvery. It gives memory back if little was allocated since
// the last call, and much since it last did so. A nil Tidier does nothing.
func (t *Tidier) Look() {
	if t == nil {
		return
	}
	now := t.allocated()
	quiet := now-t.last < quietBytes
	t.last = now
	if quiet && now-t.tidied >= messBytes {
		t.free()
		t.tidied = now
	}
}
