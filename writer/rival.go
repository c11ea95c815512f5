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

// rival returns another writer to which own yields, nil if there is none. Own
// need not be in the view: a hiccup of the bus may have cost it its entry.
func rival(v *bus.View, own *relaypb.Member, yields func(own, other *relaypb.Member) bool) *relaypb.Member {
	for _, m := range v.Members(subject.Writer) {
		if m.Instance != own.Instance && yields(own, m) {
			return m
		}
	}
	return nil
}

// standsBack says whether own, which has no store open yet, leaves the bus to
// other: one that has, or that was started earlier and is about to.
func standsBack(own, other *relaypb.Member) bool { return other.Store != 0 || older(other, own) }

// givesWay says whether own, which serves, leaves the bus to other: one that
// serves too, and for longer. One without a store stands back itself, whatever
// its clock says.
func givesWay(own, other *relaypb.Member) bool { return other.Store != 0 && older(other, own) }

// older says whether a was started before b.
func older(a, b *relaypb.Member) bool {
	if a.Started != b.Started {
		return a.Started < b.Started
	}
	return a.Instance < b.Instance
}

func rivalError(m *relaypb.Member) error {
	return fmt.Errorf("another writer is on this bus: instance %s, pid %d on %s; there can be only one",
		subject.Instance(m.Instance), m.Pid, m.Host)
}

// awaitRival returns when there is no writer to stand back for, or an error after
// rivalPatience, or when ctx ends.
func awaitRival(ctx context.Context, r *bus.Roster, own *relaypb.Member) error {
	select {
	case <-r.Settled():
	case <-ctx.Done():
		return ctx.Err()
	}
	changes := r.Changes()
	patience := time.NewTimer(rivalPatience)
	defer patience.Stop()
	for {
		m := rival(r.View(), own, standsBack)
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
