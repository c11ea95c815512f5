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

// Memory is a bus inside one process, for tests and tools that need no server:
// the same order, the same drops, the same wildcards. Safe for concurrent use.
type Memory struct {
	mu      sync.RWMutex
	exact   map[string][]*memorySub
	wild    []*memorySub
	dropped atomic.Uint64
}

// NewMemory returns a bus that nobody is on.
func NewMemory() *Memory { return &Memory{exact: make(map[string][]*memorySub)} }

// Join returns a Bus on m, as Dial does for NATS.
func (m *Memory) Join(space subject.Space, log *slog.Logger) *Bus {
	c := memoryConn{m, space.Replies("memory")}
	return New(space, NewInstance(), log, c, c, c)
}

type memorySub struct {
	m       *Memory
	subject string
	to      chan *Message
}

// Publish copies data once for all listeners: they may keep it, not change it.
func (m *Memory) publish(subj, reply string, data []byte) (listeners int) {
	msg := &Message{Subject: subj, Reply: reply, Data: append([]byte(nil), data...)}
	m.mu.RLock()
	defer m.mu.RUnlock()
	deliver := func(s *memorySub) {
		listeners++
		select {
		case s.to <- msg:
		default:
			m.dropped.Add(1)
		}
	}
	for _, s := range m.exact[subj] {
		deliver(s)
	}
	for _, s := range m.wild {
		if covers(s.subject, subj) {
			deliver(s)
		}
	}
	return listeners
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
}

func (c memoryConn) Publish(subj, reply string, data []byte) error {
	c.m.publish(subj, reply, data)
	return nil
}

func (c memoryConn) Subscribe(subj string, to chan *Message) (Subscription, error) {
	s := &memorySub{m: c.m, subject: subj, to: to}
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if strings.ContainsAny(subj, "*>") {
		c.m.wild = append(c.m.wild, s)
	} else {
		c.m.exact[subj] = append(c.m.exact[subj], s)
	}
	return s, nil
}

func (c memoryConn) Request(ctx context.Context, subj string, data []byte) (*Message, error) {
	reply := c.replies + "." + nuid.Next()
	to := make(chan *Message, 1)
	s, err := c.Subscribe(reply, to)
	if err != nil {
		return nil, err
	}
	defer s.Unsubscribe()
	if c.m.publish(subj, reply, data) == 0 {
		return nil, ErrNobody
	}
	select {
	case msg := <-to:
		return msg, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c memoryConn) Dropped() uint64          { return c.m.dropped.Load() }
func (c memoryConn) Reconnects() uint64       { return 0 }
func (c memoryConn) Traffic() nats.Statistics { return nats.Statistics{} }
func (c memoryConn) Connected() bool          { return true }
func (c memoryConn) Refused() uint64          { return 0 }
func (c memoryConn) Dead() <-chan error       { return nil }
func (c memoryConn) Close()                   {}
