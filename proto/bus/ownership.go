package bus

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"rhea/proto/subject"
)

// Ownership keeps an inbox listening on the shards that are this process's. It
// belongs to the goroutine that owns the inbox, which calls Reconcile whenever
// Roster.Changes receives.
//
// A shard is taken as soon as the assignment says so, and let go only when its
// new owner has said that it listens. So a shard may have two listeners for a
// moment, which numbers and idempotence make harmless, and has none only when a
// process has crashed.
type Ownership struct {
	roster *Roster
	stage  subject.Stage
	self   subject.Instance
	inbox  listener
	of     func(subject.Shard) string
	held   map[subject.Shard]bool
	log    *slog.Logger
	deaf   bool // the last Reconcile has failed
}

type listener interface {
	Add(subj string) error
	Remove(subj string) error
}

// NewOwnership returns an Ownership that holds nothing yet. Of builds a shard's
// inbox subject, e.g. Space.Req.
func NewOwnership(b *Bus, r *Roster, stage subject.Stage, inbox listener, of func(subject.Shard) string) *Ownership {
	return &Ownership{roster: r, stage: stage, self: b.Instance, inbox: inbox, of: of, held: make(map[subject.Shard]bool), log: b.Log}
}

// Reconcile takes and lets go of shards according to the present view. The first
// call should come after Roster.Settled. On an error the shard concerned is tried
// again at the next call. What has changed is logged, an error once.
func (o *Ownership) Reconcile() (gained, lost []subject.Shard, err error) {
	view := o.roster.View()
	assigned := assign(view.shards, view.Members(o.stage))
	for s, owner := range assigned {
		sh := subject.Shard(s)
		switch {
		case owner == o.self && !o.held[sh]:
			if e := o.inbox.Add(o.of(sh)); e != nil {
				err = e
				continue
			}
			o.held[sh] = true
			gained = append(gained, sh)
		case owner != o.self && owner != 0 && o.held[sh] && slices.Contains(view.Member(owner).Owned, uint32(sh)):
			if e := o.inbox.Remove(o.of(sh)); e != nil {
				err = e
			}
			delete(o.held, sh)
			lost = append(lost, sh)
		}
	}
	if len(gained)+len(lost) > 0 {
		o.roster.SetOwned(o.Held())
		o.log.Info("shards", "gained", gained, "lost", lost, "held", len(o.held))
	}
	if err != nil && !o.deaf {
		o.log.Error("cannot listen on all shards, will try again", "err", err)
	}
	o.deaf = err != nil
	return gained, lost, err
}

// Ready says why this process does not do its share yet: it does not hear its own
// announcements, or does not listen on all shards that fall to it. It is safe for
// concurrent use.
func (o *Ownership) Ready() error {
	view := o.roster.View()
	self := view.Member(o.self)
	if self == nil {
		return errors.New("its own announcements do not come back over the bus")
	}
	missing := 0
	for sh, owner := range assign(view.shards, view.Members(o.stage)) {
		if owner == o.self && !slices.Contains(self.Owned, uint32(sh)) {
			missing++
		}
	}
	if missing > 0 {
		return fmt.Errorf("it does not listen yet on %d of the shards that fall to it", missing)
	}
	return nil
}

// Held returns the shards that this process listens on, ascending.
func (o *Ownership) Held() []subject.Shard { return slices.Sorted(maps.Keys(o.held)) }

// Successors says whether another process of the stage can take what this one
// holds: a leaving process need not wait when there is none.
func (o *Ownership) Successors() bool {
	for _, m := range o.roster.View().Members(o.stage) {
		if subject.Instance(m.Instance) != o.self && !m.Leaving {
			return true
		}
	}
	return false
}
