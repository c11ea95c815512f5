package stage

import (
	"os"
	"runtime"
)

// Share fits this process in among the others of a relay that run on the same
// machine. It is for main functions: it changes the whole process.
//
// The process gets the given part of the processors that it may use, at least one,
// unless the part is nil or the environment sets GOMAXPROCS. What mostly moves
// messages needs no more, and with more pays for each message that threads wake one
// another and look for work.
//
// And a thread that is woken waits until the one that runs there is done, as far as
// the kernel knows such a thing (SCHED_BATCH on Linux). So a stage that is behind
// finishes what it has, and what comes next finds more to do at once.
func Share(part func(processors int) int) {
	if part != nil && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(1, part(runtime.GOMAXPROCS(0))))
	}
	waitYourTurn()
}

// Quarter is the part of a process that moves messages.
func Quarter(processors int) int { return processors / 4 }

// Half is the part of a process that computes.
func Half(processors int) int { return processors / 2 }

// Whole is the part of a process that waits for disks, or is the whole relay.
func Whole(processors int) int { return processors }
