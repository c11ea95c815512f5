package record

import (
	"google.golang.org/protobuf/proto"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
	"rhea/rhea/tap"
	"rhea/rhea/tap/decode"
)

// changes keeps, of the announcements that every process makes twice a second, those
// that say something new. It belongs to one goroutine.
type changes struct {
	prefix string
	all    bool // keep every one
	last   map[uint32]*relaypb.Member
}

// maxChanges bounds how many processes are remembered. Beyond it all are forgotten,
// and one announcement of each is kept again.
const maxChanges = 4096

func newChanges(prefix string, all bool) *changes {
	return &changes{prefix, all, make(map[uint32]*relaypb.Member)}
}

// worth says whether a message belongs into the recording.
func (c *changes) worth(m tap.Message) bool {
	if inbox, _ := decode.Inbox(c.prefix, m.Subject); inbox != "member" || c.all {
		return true
	}
	s := decode.Message(c.prefix, m.Subject, m.Data)
	news := s.Err != nil
	for _, said := range s.Messages {
		member, ok := said.(*relaypb.Member)
		if !ok {
			return true
		}
		// These change with every one.
		member.Seq, member.Stats = 0, nil
		if proto.Equal(c.last[member.Instance], member) {
			continue
		}
		if len(c.last) >= maxChanges {
			clear(c.last)
		}
		c.last[member.Instance] = member
		news = true
	}
	return news
}

// memberOf is what the header of a recording says of a process.
func memberOf(m *relaypb.Member, redactHost bool) tap.Member {
	t := tap.Member{
		Stage: m.Stage, Instance: subject.Instance(m.Instance).String(), Host: m.Host, Version: m.Version,
		Owned: m.Owned, Seq: m.Seq, Store: m.Store,
	}
	if redactHost {
		t.Host = ""
	}
	return t
}
