package bus

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"rhea/proto/subject"
)

// Memory is a bus inside one process, for rhea solo (Local), and for tests and tools
// that need no server: the same order, the same drops, the same wildcards. Safe for
// concurrent use.
type Memory struct {
	mu    sync.RWMutex
	exact map[string][]*memorySub
	wild  []*memorySub
}

// NewMemory returns a bus that nobody is on.
func NewMemory() *Memory { return &Memory{exact: make(map[string][]*memorySub)} }

// Join returns a Bus on m, as Dial does for NATS.
func (m *Memory) Join(space subject.Space, log *slog.Logger) *Bus {
	conn := func() memoryConn { return m.conn(space.Replies("memory")) }
	return New(space, NewInstance(), log, conn(), conn(), conn())
}

// conn returns a connection whose requests are answered on subjects that begin with
// replies.
func (m *Memory) conn(replies string) memoryConn {
	return memoryConn{m: m, replies: replies, traffic: new(traffic)}
}

type memorySub struct {
	m       *Memory
	subject string
	literal string // what the subject begins with, before any wildcard
	to      chan *Message
	traffic *traffic
}

// traffic is what a connection has said and heard.
type traffic struct{ inMsgs, inBytes, dropped, outMsgs, outBytes atomic.Uint64 }

// deliver hands a message to all listeners, who may keep it and not change it, and
// returns how many there are.
func (m *Memory) deliver(msg *Message) (listeners int) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, s := range m.exact[msg.Subject] {
		listeners++
		s.take(msg)
	}
	for _, s := range m.wild {
		if strings.HasPrefix(msg.Subject, s.literal) && covers(s.subject, msg.Subject) {
			listeners++
			s.take(msg)
		}
	}
	return listeners
}

func (s *memorySub) take(msg *Message) {
	select {
	case s.to <- msg:
		s.traffic.inMsgs.Add(1)
		s.traffic.inBytes.Add(uint64(len(msg.Data)))
	default:
		s.traffic.dropped.Add(1)
	}
}

func (s *memorySub) Unsubscribe() error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	cut := func(list []*memorySub) []*memorySub {
		var kept []*memorySub
		for _, x := range list {
			if x != s {
				kept = append(kept, x)
			}
		}
		return kept
	}
	if kept := cut(s.m.exact[s.subject]); kept != nil {
		s.m.exact[s.subject] = kept
	} else {
		delete(s.m.exact, s.subject)
	}
	s.m.wild = cut(s.m.wild)
	return nil
}

// covers says whether a subject with NATS's wildcards (* one token, > the rest)
// covers another without.
func covers(pattern, subj string) bool {
	for {
		p, prest, pmore := strings.Cut(pattern, ".")
		s, srest, smore := strings.Cut(subj, ".")
		if p == ">" {
			return true
		}
		if p != "*" && p != s || pmore != smore {
			return false
		}
		if !pmore {
			return true
		}
		pattern, subj = prest, srest
	}
}

type memoryConn struct {
	m       *Memory
	replies string // prefix of the subjects of replies
	traffic *traffic
}

func (c memoryConn) Publish(subj, reply string, data []byte) error {
	c.publish(subj, reply, data)
	return nil
}

func (c memoryConn) Ask(subj, reply string, data []byte) (here bool, err error) {
	if c.publish(subj, reply, data) == 0 {
		return false, ErrNobody
	}
	return true, nil
}

// publish copies data once for all listeners, and returns how many there are.
func (c memoryConn) publish(subj, reply string, data []byte) (listeners int) {
	c.traffic.outMsgs.Add(1)
	c.traffic.outBytes.Add(uint64(len(data)))
	return c.m.deliver(&Message{Subject: subj, Reply: reply, Data: append([]byte(nil), data...)})
}

func (c memoryConn) Subscribe(subj string, to chan *Message) (Subscription, error) {
	s := &memorySub{m: c.m, subject: subj, literal: subj, to: to, traffic: c.traffic}
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if wildcard := strings.IndexAny(subj, "*>"); wildcard >= 0 {
		s.literal = subj[:wildcard]
		c.m.wild = append(c.m.wild, s)
	} else {
		c.m.exact[subj] = append(c.m.exact[subj], s)
	}
	return s, nil
}

func (c memoryConn) Request(ctx context.Context, subj string, data []byte) (*Message, error) {
	return c.request(ctx, func(reply string) (audience, error) { return audience{here: c.publish(subj, reply, data)}, nil })
}

// audience is who was told a question: so many listeners of this Memory, and
// perhaps others, of whom NATS says if there are none.
type audience struct {
	here      int
	elsewhere bool
}

// request has a question asked and waits for the reply.
func (c memoryConn) request(ctx context.Context, ask func(reply string) (audience, error)) (*Message, error) {
	reply := c.replies + "." + nuid.Next()
	to := make(chan *Message, 2) // the reply, and before it a refusal
	s, err := c.Subscribe(reply, to)
	if err != nil {
		return nil, err
	}
	defer s.Unsubscribe()
	told, err := ask(reply)
	if err != nil {
		return nil, err
	}
	if told == (audience{}) {
		return nil, ErrNobody
	}
	for {
		select {
		case msg := <-to:
			if !refusesQuestion(msg) {
				return msg, nil
			}
			// NATS knows nothing of who listens here, and may be quicker than they.
			if told.here == 0 {
				return nil, ErrNobody
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// refusesQuestion says whether a reply is NATS's "no responders".
func refusesQuestion(reply *Message) bool {
	return len(reply.Data) == 0 && reply.Header.Get("Status") == "503"
}

func (c memoryConn) Dropped() uint64    { return c.traffic.dropped.Load() }
func (c memoryConn) Reconnects() uint64 { return 0 }
func (c memoryConn) Traffic() nats.Statistics {
	t := c.traffic
	return nats.Statistics{InMsgs: t.inMsgs.Load(), InBytes: t.inBytes.Load(), OutMsgs: t.outMsgs.Load(), OutBytes: t.outBytes.Load()}
}
func (c memoryConn) Connected() bool    { return true }
func (c memoryConn) Refused() uint64    { return 0 }
func (c memoryConn) Dead() <-chan error { return nil }
func (c memoryConn) Close()             {}
