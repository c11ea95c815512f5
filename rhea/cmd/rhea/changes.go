package main

import (
	"context"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"rhea/gateway"
	"rhea/proto/beat"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// changes is how rhea up follows its configuration: its children read the file
// themselves, and are told of a SIGHUP; it goes by few of the settings, and says
// which of those need a restart.
type changes struct {
	reloads  *stage.Reloads
	hangup   stage.Hangup
	tidier   *stage.Tidier
	current  atomic.Pointer[stage.Settings]
	told     chan struct{} // receives after a SIGHUP
	children chan struct{} // the same, for the children
}

func newChanges(r *stage.Reloads, now stage.Settings, h stage.Hangup, t *stage.Tidier) *changes {
	r.Mine = ofSupervisor
	c := &changes{reloads: r, hangup: h, tidier: t, told: make(chan struct{}, 1), children: make(chan struct{}, 1)}
	c.current.Store(&now)
	return c
}

// drain is what a stage may take to stop, as of now, before it is killed. It is safe
// for concurrent use.
func (c *changes) drain(st subject.Stage) time.Duration {
	s := *c.current.Load()
	d := stage.Section[stage.DrainConfig](s).Drain + drainSlack
	if gw := stage.Section[gateway.Config](s); st == subject.Gateway {
		d += gw.StopTime()
	}
	return d
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

// watch reloads, and gives back memory, until ctx ends.
func (c *changes) watch(ctx context.Context) {
	poll := beat.NewTicker(stage.PollEvery)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.told:
			c.take(c.reloads.Now("hangup"))
		case <-poll.C:
			poll.Next()
			c.tidier.Look()
			c.take(c.reloads.Poll())
		}
	}
}

// take goes by what is in force now.
func (c *changes) take(s stage.Settings, changed bool) {
	if changed {
		c.current.Store(&s)
	}
}
