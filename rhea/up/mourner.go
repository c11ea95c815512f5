package up

import (
	"os"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// mourner announces the deaths of children on the bus, so that takeover does not
// wait until their silence has grown long. It belongs to one goroutine.
type mourner struct {
	bus    *bus.Bus
	roster *bus.Roster
	host   string
	dead   map[int]dead // by pid
}

type dead struct {
	stage subject.Stage
	at    time.Time
}

// mourning is how long an announcement of a dead process may still be on its way.
const mourning = 3 * time.Second

func newMourner(b *bus.Bus, r *bus.Roster) *mourner {
	host, _ := os.Hostname() // as the roster does: an unknown host is ""
	return &mourner{bus: b, roster: r, host: host, dead: make(map[int]dead)}
}

// died notes a death and announces it.
func (m *mourner) died(stage subject.Stage, pid int) {
	if pid == 0 {
		return
	}
	m.dead[pid] = dead{stage, time.Now()}
	m.announce()
}

// announce goes through the roster for the dead: at a death, and whenever the
// roster has changed, as it may have heard of a process only after its end.
func (m *mourner) announce() {
	for pid, d := range m.dead {
		if time.Since(d.at) > mourning {
			delete(m.dead, pid)
			continue
		}
		for _, member := range m.roster.View().Members(d.stage) {
			if int(member.Pid) != pid || member.Host != m.host {
				continue
			}
			gone := proto.Clone(member).(*relaypb.Member)
			gone.Gone, gone.Leaving, gone.Owned = true, true, nil
			if err := m.bus.Publish(m.bus.Space.Member(d.stage), gone); err != nil {
				m.bus.Log.Warn("a death could not be announced", "stage", string(d.stage), "pid", pid, "err", err)
			}
		}
	}
}
