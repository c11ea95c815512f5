package stage

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// waitYourTurn puts every thread of this process under SCHED_BATCH; those to come
// inherit it. Where that is not allowed, everything stays as it is: it only saves
// time.
func waitYourTurn() {
	const rounds = 10 // a thread may start another while they are counted
	done := make(map[int]bool)
	for range rounds {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return
		}
		before := len(done)
		for _, t := range threads {
			id, err := strconv.Atoi(t.Name())
			if err != nil || done[id] {
				continue
			}
			done[id] = true
			attr, err := unix.SchedGetAttr(id, 0) // with its nice value, which stays
			if err != nil || attr.Policy != unix.SCHED_NORMAL {
				continue
			}
			attr.Policy = unix.SCHED_BATCH
			_ = unix.SchedSetAttr(id, attr, 0)
		}
		if len(done) == before {
			return
		}
	}
}
