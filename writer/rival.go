package writer

import (
	"context"
	"fmt"
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// rivalPatience is how long a new writer waits for the one before it to go: a
// little longer than a roster takes to find out that a process has died.
const rivalPatience = 4 * time.Second

// rival returns another writer before which self has to stand back: one that has
// its store open, or that was started earlier and is about to. It returns nil if
// there is none.
func rival(v *bus.View, self subject.Instance) *relaypb.Member {
	own := v.Member(self)
	for _, m := range v.Members(subject.Writer) {
		if subject.Instance(m.Instance) == self {
			continue
		}
		if standsBack(own, m) {
			return m
		}
	}
	return nil
}

// standsBack says whether own, which has no store open yet, leaves the bus to
// other.
func standsBack(own, other *relaypb.Member) bool { return other.Store != 0 || older(other, own) }

// older says whether a was started before b. One that is not known yet is the
// youngest.
func older(a, b *relaypb.Member) bool {
	if b == nil {
		return true
	}
	if a.Started != b.Started {
		return a.Started < b.Started
	}
	return a.Instance < b.Instance
}

func rivalError(m *relaypb.Member) error {
	return fmt.Errorf("another writer is on this bus: instance %s, pid %d on %s; there can be only one",
		subject.Instance(m.Instance), m.Pid, m.Host)
}

// awaitRival returns when no other writer is on the bus, or an error after
// rivalPatience, or when ctx ends.
func awaitRival(ctx context.Context, r *bus.Roster, self subject.Instance) error {
	select {
	case <-r.Settled():
	case <-ctx.Done():
		return ctx.Err()
	}
	changes := r.Changes()
	patience := time.NewTimer(rivalPatience)
	defer patience.Stop()
	for {
		m := rival(r.View(), self)
		if m == nil {
			return nil
		}
		select {
		case <-changes:
		case <-patience.C:
			return rivalError(m)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
