package bus

import (
	"errors"
	"fmt"
	"slices"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// View is who is on the bus, as one process knows it at one moment. It is
// immutable and safe for concurrent use. Two processes' views may differ for a
// moment; nothing that must be right depends on their agreeing.
type View struct {
	shards  int
	members map[subject.Instance]*relaypb.Member
	stages  map[subject.Stage][]*relaypb.Member // by instance
	owners  map[subject.Stage][]subject.Instance
}

func newView(shards int, members []*relaypb.Member) *View {
	v := &View{
		shards:  shards,
		members: make(map[subject.Instance]*relaypb.Member, len(members)),
		stages:  make(map[subject.Stage][]*relaypb.Member),
		owners:  make(map[subject.Stage][]subject.Instance),
	}
	for _, m := range members {
		v.members[subject.Instance(m.Instance)] = m
		st := subject.Stage(m.Stage)
		v.stages[st] = append(v.stages[st], m)
	}
	for st, list := range v.stages {
		slices.SortFunc(list, func(a, b *relaypb.Member) int { return int(int64(a.Instance) - int64(b.Instance)) })
		v.owners[st] = listeners(shards, list)
	}
	return v
}

// Members returns the living processes of a stage, by instance.
func (v *View) Members(st subject.Stage) []*relaypb.Member { return v.stages[st] }

// Member returns the process with that instance, or nil.
func (v *View) Member(i subject.Instance) *relaypb.Member { return v.members[i] }

// Alive says whether the process with that instance is on the bus.
func (v *View) Alive(i subject.Instance) bool { return v.members[i] != nil }

// Owner returns the process that has said it listens on a shard's inbox, 0 when
// none has. While a shard changes hands two have; then it is the one that keeps
// the shard. Senders go by this.
func (v *View) Owner(st subject.Stage, sh subject.Shard) subject.Instance {
	if o := v.owners[st]; int(sh) < len(o) {
		return o[sh]
	}
	return 0
}

// Serving says what is missing: a writer that serves a store, or a listener for
// each shard of the given stages. It returns nil when nothing is.
func (v *View) Serving(stages ...subject.Stage) error {
	if _, ok := v.Head(); !ok {
		return errors.New("no writer serves a store")
	}
	for _, st := range stages {
		free := 0
		for sh := range v.shards {
			if v.Owner(st, subject.Shard(sh)) == 0 {
				free++
			}
		}
		if free > 0 {
			return fmt.Errorf("%d of %d shards have no %s", free, v.shards, st)
		}
	}
	return nil
}

// Head returns the last Seq on disk as the writer has said it last, and whether
// one serves a store.
func (v *View) Head() (head subject.Seq, ok bool) {
	for _, m := range v.Members(subject.Writer) {
		if m.Store != 0 {
			head, ok = max(head, subject.Seq(m.Seq)), true
		}
	}
	return head, ok
}

// listeners computes Owner for all shards of a stage.
func listeners(shards int, list []*relaypb.Member) []subject.Instance {
	owners := make([]subject.Instance, shards)
	assigned := assign(shards, list)
	for _, m := range list {
		i := subject.Instance(m.Instance)
		for _, sh := range m.Owned {
			if int(sh) < shards && (owners[sh] == 0 || assigned[sh] == i) {
				owners[sh] = i
			}
		}
	}
	return owners
}

// assign gives each shard to one process: rendezvous hashing (Thaler and
// Ravishankar, 1998), with no process taking more than its share rounded up, so
// that the few shards of a deployment spread evenly. Receivers go by this. All
// shards are 0 when nobody stays.
func assign(shards int, list []*relaypb.Member) []subject.Instance {
	out := make([]subject.Instance, shards)
	var staying []subject.Instance
	for _, m := range list {
		if !m.Leaving {
			staying = append(staying, subject.Instance(m.Instance))
		}
	}
	if len(staying) == 0 {
		return out
	}
	share := (shards + len(staying) - 1) / len(staying)
	load := make(map[subject.Instance]int, len(staying))
	for sh := range out {
		var best uint64
		for _, i := range staying {
			if s := score(i, subject.Shard(sh)); load[i] < share && (out[sh] == 0 || s > best) {
				out[sh], best = i, s
			}
		}
		load[out[sh]]++
	}
	return out
}

// score mixes (splitmix64's finaliser) an instance and a shard.
func score(i subject.Instance, sh subject.Shard) uint64 {
	x := uint64(i)<<16 | uint64(sh)
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
