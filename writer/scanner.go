package writer

import (
	"runtime"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// scanner is a reader that serves slices. What it has read goes out together as long
// as more slices wait that take next to no time. It belongs to one goroutine.
type scanner struct {
	*readers
	outbox  *bus.Outbox
	replies []directReply // behind what is in the outbox
}

type directReply struct {
	to *bus.Message
	m  *relaypb.ScanReply
}

func newScanner(r *readers) *scanner {
	s := &scanner{readers: r, outbox: r.bus.NewOutbox()}
	s.outbox.Keep = 2 * maxReply // a large answer, however its buffer has grown
	return s
}

// maxTogether bounds the slices whose results wait for each other.
const maxTogether = 16

func (s *scanner) run() {
	for q := range s.scans {
		for more := true; more; {
			if len(s.replies) == maxTogether || !brief(q.ask) {
				s.flush()
			}
			s.serve(q)
			select {
			case q, more = <-s.scans:
			default:
				more = false
			}
		}
		s.flush()
	}
}

// brief says whether a slice is read in next to no time.
func brief(ask *relaypb.Scan) bool { return ask.Direct.GetById() && len(ask.Filters) < 1<<10 }

func (s *scanner) serve(q request[*relaypb.Scan]) {
	reply := &relaypb.ScanReply{Error: nostr.Failed.Text("the writer is stopping")}
	if s.stopping.Err() == nil {
		reply = s.scan(q.ask)
	}
	if q.ask.Direct != nil && q.msg.Reply != "" && reply.Error == "" && q.ask.Want == relaypb.Want_EVENTS {
		s.send(q, reply)
		return
	}
	s.reply(q.msg, reply)
}

// send sends the events of a slice to the gateway that they are for, and then the rest
// of the reply to the asker. If the bus refuses the events, the asker hears nothing, as
// nobody can tell what went out.
func (s *scanner) send(q request[*relaypb.Scan], reply *relaypb.ScanReply) {
	to := q.ask.Direct
	part := &relaypb.Part{
		Num: to.Num, Worker: to.Worker, Index: to.Index,
		Events: reply.Events, Cursor: reply.Cursor, AsOf: reply.AsOf, Eose: reply.Done,
	}
	if reply.Done {
		part.ById = to.ById
		if !to.Blind {
			part.Completeness = reply.Completeness
		}
	}
	out := s.bus.Space.Out(subject.Instance(to.Gateway))
	err := s.outbox.Send(out, &relaypb.OutInbox{Body: &relaypb.OutInbox_Part{Part: part}})
	reply.Sent, reply.Events = &relaypb.Sent{Events: uint32(len(part.Events))}, nil
	for _, e := range part.Events {
		reply.Sent.Bytes += uint64(len(e))
	}
	s.replies = append(s.replies, directReply{q.msg, reply})
	if err != nil {
		s.lost(err)
	}
}

// flush sends what waits, and has the goroutine that writes it to the socket run: with
// one processor it would not while there are slices to read.
func (s *scanner) flush() {
	if len(s.replies) > 0 {
		if err := s.outbox.Flush(); err != nil {
			s.lost(err)
		}
	}
	for _, r := range s.replies {
		s.replied(r.to, r.m, s.bus.ReplyBehind(r.to, r.m))
	}
	clear(s.replies)
	s.replies = s.replies[:0]
	runtime.Gosched()
}

// lost has nobody hear that events went out of which it cannot be told.
func (s *scanner) lost(err error) {
	s.metrics.unsent.Add(len(s.replies))
	s.troubles.complain(s.now(), s.log, "parts were not sent", "parts", len(s.replies), "err", err)
	clear(s.replies)
	s.replies = s.replies[:0]
}
