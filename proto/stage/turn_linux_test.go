package stage

import (
	"os"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWaitYourTurn finds every thread of this process under SCHED_BATCH, those that
// come later too, with the nice value that they had. It leaves the process so, which
// harms no other test.
func TestWaitYourTurn(t *testing.T) {
	before, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	waitYourTurn()
	locked := make(chan struct{})
	for range 3 { // makes threads
		go func() { runtime.LockOSThread(); <-locked }()
	}
	defer close(locked)
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		id, _ := strconv.Atoi(thread.Name())
		attr, err := unix.SchedGetAttr(id, 0)
		if err != nil {
			continue // it has ended
		}
		if attr.Policy != unix.SCHED_BATCH || attr.Nice != before.Nice {
			t.Errorf("thread %d: policy %d, nice %d", id, attr.Policy, attr.Nice)
		}
	}
}
