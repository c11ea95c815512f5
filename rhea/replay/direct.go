package replay

import (
	"strconv"

	"google.golang.org/protobuf/proto"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
	"rhea/rhea/tap"
	"rhea/rhea/tap/decode"
)

// directs puts the events that a writer sent straight to a gateway back into its
// reply, so that the recording of a stage alone holds the whole conversation of
// reqworker and writer: neither asks for, or sees, a direct slice in its replay.
type directs struct {
	slots map[string]slot // of the slices asked for, by the subject of their reply
	parts map[slot][][]byte
}

// slot is where a direct slice goes, as both Direct and the Part say it.
type slot struct {
	gateway, worker, index uint32
	num                    uint64
}

func newDirects() *directs {
	return &directs{slots: make(map[string]slot), parts: make(map[slot][][]byte)}
}

// whole returns a recorded message with what went another way put back.
func (d *directs) whole(said decode.Said, m tap.Message, body proto.Message) proto.Message {
	switch b := decode.Body(body).(type) {
	case *relaypb.Scan:
		if to := b.Direct; to != nil {
			if len(d.slots) > shelfReplies { // whose replies the recorder has missed
				clear(d.slots)
				clear(d.parts)
			}
			at := slot{gateway: to.Gateway, worker: to.Worker, index: to.Index, num: to.Num}
			d.slots[m.Reply], d.parts[at] = at, nil
		}
	case *relaypb.Part:
		gateway, _ := strconv.ParseUint(said.Key, 16, 32)
		at := slot{gateway: uint32(subject.Instance(gateway)), worker: b.Worker, index: b.Index, num: b.Num}
		if _, asked := d.parts[at]; asked {
			d.parts[at] = b.Events
		}
	case *relaypb.ScanReply:
		at, direct := d.slots[m.Subject]
		if !direct {
			break
		}
		events := d.parts[at]
		delete(d.slots, m.Subject)
		delete(d.parts, at)
		if b.Sent != nil {
			reply := proto.Clone(b).(*relaypb.ScanReply)
			reply.Events, reply.Sent = events, nil
			return reply
		}
	}
	return body
}
