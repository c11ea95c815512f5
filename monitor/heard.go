package monitor

import (
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// hearing is a message for the gateway that wants to know who has heard an
// ephemeral event (NIP-01, mute).
type hearing struct {
	to  subject.Instance
	msg *relaypb.Heard
}

// hear answers for a commit that was given to so many watches. A watch that waits
// and wants it has heard it, too: it will be served from the window. Whether there
// is one is only looked up when there was no other, since none or some is all that
// anybody asks. When very many wait, as after the loss of a monitor, that is too much
// to look up for every commit, and shortly after a shard was gained not all of its
// watches are known: nothing is said then, and the gateway takes the event for
// received.
func (c *core) hear(e *commit, takers int) {
	for i := 0; takers == 0 && i < len(c.waiting); i++ {
		if c.lookups++; c.lookups > settleTries {
			return
		}
		if w := c.watches.at(c.waiting[i]); w.state == waiting && e.seq > w.after && c.holds(w) && c.maySee(w, e) {
			takers++
		}
	}
	if takers == 0 && c.now.Sub(c.shards.gained) < gainGrace {
		return
	}
	c.heard = append(c.heard, hearing{e.asker, &relaypb.Heard{Num: e.num, Monitor: uint32(c.self), Watches: uint64(takers)}})
}
