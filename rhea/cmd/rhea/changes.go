package main

import (
	"context"
	"os"
	"strings"
	"time"

	"rhea/proto/stage"
)

// changes is how rhea up follows its configuration: its children read the file
// themselves, and are told of a SIGHUP; it goes by few of the settings, and says
// which of those need a restart.
type changes struct {
	reloads  *stage.Reloads
	hangup   stage.Hangup
	told     chan struct{} // receives after a SIGHUP
	children chan struct{} // the same, for the children
}

func newChanges(r *stage.Reloads, h stage.Hangup) *changes {
	r.Mine = ofSupervisor
	return &changes{reloads: r, hangup: h, told: make(chan struct{}, 1), children: make(chan struct{}, 1)}
}

// ofSupervisor says which settings are the supervisor's to speak about, rather than
// its children's.
func ofSupervisor(setting string) bool {
	switch section, _, _ := strings.Cut(setting, "."); section {
	case "up", "log", "metrics", "stage":
		return true
	case "bus":
		return heeded(setting)
	}
	// These the children have from the supervisor.
	return setting == "gateway.listen" || setting == "gateway.reuse_port" || setting == "writer.dir"
}

// signal takes a signal that means a reload.
func (c *changes) signal(s os.Signal) bool {
	if !c.hangup.Means(s) {
		return false
	}
	for _, to := range []chan struct{}{c.told, c.children} {
		select {
		case to <- struct{}{}:
		default: // one is waiting
		}
	}
	return true
}

// watch reloads until ctx ends.
func (c *changes) watch(ctx context.Context) {
	poll := time.NewTicker(stage.PollEvery)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.told:
			c.reloads.Now("hangup")
		case <-poll.C:
			c.reloads.Poll()
		}
	}
}
