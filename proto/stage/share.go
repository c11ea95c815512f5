package stage

import (
	"os"
	"runtime"
	"runtime/debug"
)

// Part is what a process takes of the machine that it shares with the others of a
// relay. The zero value takes what Go takes.
type Part struct {
	// Processors returns how many of those that the process may use, at least one; nil:
	// all. What mostly moves messages needs no more, and with more pays for each message
	// that threads wake one another and look for work.
	Processors func(processors int) int
	// Garbage is how much there may be before it is collected, in percent of the memory
	// that is in use; 0: 100. Less suits who holds much and makes little.
	Garbage int
}

// Share fits this process in among the others of a relay that run on the same
// machine. It is for main functions: it changes the whole process. GOMAXPROCS and
// GOGC in the environment go before the part.
//
// And a thread that is woken waits until the one that runs there is done, as far as
// the kernel knows such a thing (SCHED_BATCH on Linux). So a stage that is behind
// finishes what it has, and what comes next finds more to do at once.
func Share(part Part) {
	if part.Processors != nil && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(1, part.Processors(runtime.GOMAXPROCS(0))))
	}
	if part.Garbage != 0 && os.Getenv("GOGC") == "" {
		debug.SetGCPercent(part.Garbage)
	}
	waitYourTurn()
}

// Quarter is the part of a process that moves messages.
func Quarter(processors int) int { return processors / 4 }

// Half is the part of a process that computes.
func Half(processors int) int { return processors / 2 }
