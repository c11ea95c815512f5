package replay

import (
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
)

// shelfReplies bounds the recorded replies that nobody has asked for yet.
const shelfReplies = 1 << 14

// maxWaits bounds how many equal requests wait for a reply.
const maxWaits = 64

// shelf has the recorded replies to the scans of a stage, to answer the same requests
// of the stage under test. How much a slice may hold, and where it goes, is no part of a request: the
// reply holds what it holds. The same request may have several replies, as the store
// changes; they are given in the order of the recording.
type shelf struct {
	requests map[string]item // by the subject of the reply that is to come
	replies  map[item][]kept
	order    []item        // of the replies, the oldest first
	last     map[item]kept // that was given
	waiting  map[item][]*bus.Message
	wanted   string // the filters of the last request that had to wait
	answer   func(*bus.Message, *relaypb.ScanReply)
}

func newShelf(answer func(*bus.Message, *relaypb.ScanReply)) *shelf {
	return &shelf{
		requests: make(map[string]item), replies: make(map[item][]kept),
		last: make(map[item]kept), waiting: make(map[item][]*bus.Message), answer: answer,
	}
}

func scanKey(m *relaypb.Scan) item {
	m = proto.Clone(m).(*relaypb.Scan)
	m.MaxBytes, m.Direct = 0, nil
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return 0 // it was decoded a moment ago
	}
	return digest(b)
}

// request notes a recorded request.
func (s *shelf) request(reply string, m *relaypb.Scan) {
	if len(s.requests) > shelfReplies {
		clear(s.requests) // whose replies the recorder has missed
	}
	s.requests[reply] = scanKey(m)
}

// kept is a recorded reply, and when it came.
type kept struct {
	reply *relaypb.ScanReply
	at    time.Time
}

// reply takes a recorded reply in, and gives it to whoever waits for it.
func (s *shelf) reply(subj string, m *relaypb.ScanReply, at time.Time) {
	k, known := s.requests[subj]
	if !known {
		return
	}
	delete(s.requests, subj)
	if s.give(k, m) {
		return
	}
	s.replies[k] = append(s.replies[k], kept{m, at})
	s.order = append(s.order, k)
	if len(s.order) > shelfReplies {
		s.drop(s.order[0])
		s.order = s.order[1:]
	}
}

func (s *shelf) drop(k item) {
	if rest := s.replies[k]; len(rest) > 1 {
		s.replies[k] = rest[1:]
	} else {
		delete(s.replies, k)
	}
}

func (s *shelf) give(k item, m *relaypb.ScanReply) bool {
	list := s.waiting[k]
	delete(s.waiting, k)
	for _, msg := range list { // one that has been asked again waits twice
		s.answer(msg, m)
	}
	return len(list) > 0
}

// ask serves a request of the stage under test, now or when the recording has come
// to the reply. A reply from before since is for a request that the stage under test
// has not made, as the recorded one did, or a process of it that was killed.
func (s *shelf) ask(msg *bus.Message, m *relaypb.Scan, since time.Time) {
	k := scanKey(m)
	for len(s.replies[k]) > 0 && s.replies[k][0].at.Before(since) {
		s.drop(k)
	}
	list := s.replies[k]
	if len(list) == 0 {
		if list := s.waiting[k]; len(list) >= maxWaits {
			s.waiting[k] = list[1:] // it has been asked again since, and is not waited for
		}
		s.waiting[k] = append(s.waiting[k], msg)
		s.wanted = excerpt(m.Filters)
		return
	}
	if len(s.last) > shelfReplies {
		clear(s.last)
	}
	s.last[k] = list[0]
	s.answer(msg, list[0].reply)
	s.drop(k)
}

// again gives to those who wait the reply that was given last for an equal request, if
// it is not from before since: a query that was stopped before it was read in the
// recording may have been read in the replay, and has taken another's reply.
func (s *shelf) again(since time.Time) {
	s.missing(func(k item) *relaypb.ScanReply {
		if x, ok := s.last[k]; ok && !x.at.Before(since) {
			return x.reply
		}
		return nil
	})
}

// lacks says what the stage under test has asked that the recording does not have.
func (s *shelf) lacks() string {
	if len(s.waiting) == 0 {
		return ""
	}
	return "it has asked the store what the recording has no reply to: " + s.wanted
}

// missing answers whoever still waits, and for a request that nothing was recorded
// of.
func (s *shelf) missing(reply func(item) *relaypb.ScanReply) {
	for k := range s.waiting {
		if m := reply(k); m != nil {
			s.give(k, m)
		}
	}
}
