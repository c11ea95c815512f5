package stage

import (
	"runtime"
	"slices"
	"testing"
)

func TestTidier(t *testing.T) {
	const little, much = quietBytes / 2, messBytes
	for _, c := range []struct {
		name  string
		takes []uint64 // allocated before each look
		frees []int    // at which looks
	}{
		{"starts and does nothing", []uint64{little, 0, 0, 0}, nil},
		{"a burst, then quiet", []uint64{much, little, 0, 0}, []int{1}},
		{"busy all the time", []uint64{much, much, much, quietBytes}, nil},
		{"two bursts", []uint64{much, 0, 0, much / 2, much / 2, 0, 0}, []int{1, 5}},
		{"a small burst, then quiet", []uint64{much / 2, 0, 0}, nil},
		{"little, again and again", slices.Repeat([]uint64{quietBytes - 1}, 40), []int{16, 33}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var allocated uint64
			var frees []int
			look := 0
			tidier := &Tidier{allocated: func() uint64 { return allocated }, free: func() { frees = append(frees, look) }}
			for look = range c.takes {
				allocated += c.takes[look]
				tidier.Look()
			}
			if !slices.Equal(frees, c.frees) {
				t.Errorf("memory is given back at looks %v, want %v", frees, c.frees)
			}
		})
	}
}

// TestTidierSees that the runtime tells of what is allocated.
func TestTidierSees(t *testing.T) {
	tidier := NewTidier()
	freed := 0
	tidier.free = func() { freed++ }
	for range messBytes >> 20 {
		runtime.KeepAlive(make([]byte, 1<<20))
	}
	tidier.Look()
	tidier.Look()
	if freed != 1 {
		t.Errorf("memory is given back %d times, want once", freed)
	}
}
