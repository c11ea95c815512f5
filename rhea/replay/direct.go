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
	order []string // subjects of replies, as they were asked for
	bytes int      // of all parts
}

// shelfBytes bounds the events whose replies the recorder has missed, or that have not
// come yet.
const shelfBytes = 64 << 20

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
			at := slot{gateway: to.Gateway, worker: to.Worker, index: to.Index, num: to.Num}
			d.bytes -= weight(d.parts[at])
			d.slots[m.Reply], d.parts[at] = at, nil
			d.order = append(d.order, m.Reply)
			d.trim()
		}
	case *relaypb.Part:
		gateway, _ := strconv.ParseUint(said.Key, 16, 32)
		at := slot{gateway: uint32(subject.Instance(gateway)), worker: b.Worker, index: b.Index, num: b.Num}
		if _, asked := d.parts[at]; asked {
			d.bytes += weight(b.Events) - weight(d.parts[at])
			d.parts[at] = b.Events
			d.trim()
		}
	case *relaypb.ScanReply:
		at, direct := d.slots[m.Subject]
		if !direct {
			break
		}
		events := d.parts[at]
		d.drop(m.Subject)
		if b.Sent != nil {
			reply := proto.Clone(b).(*relaypb.ScanReply)
			reply.Events, reply.Sent = events, nil
			return reply
		}
	}
	return body
}

// trim forgets the oldest slices while there are too many, or they hold too much: the
// recorder has missed their replies.
func (d *directs) trim() {
	for len(d.order) > 0 && (len(d.order) > shelfReplies || d.bytes > shelfBytes || !d.has(d.order[0])) {
		d.drop(d.order[0])
		d.order = d.order[1:]
	}
}

func (d *directs) has(reply string) bool {
	_, ok := d.slots[reply]
	return ok
}

func (d *directs) drop(reply string) {
	at, ok := d.slots[reply]
	if !ok {
		return
	}
	d.bytes -= weight(d.parts[at])
	delete(d.slots, reply)
	delete(d.parts, at)
}

// weight is the size of events, in bytes.
func weight(events [][]byte) (n int) {
	for _, e := range events {
		n += len(e)
	}
	return n
}
