package bus

import (
	"fmt"

	"google.golang.org/protobuf/proto"
)

// DefaultInbox is how many bus messages wait in an inbox at the most.
const DefaultInbox = 16384

// Inbox receives one kind of message, M, on any number of subjects, in one
// channel. Its methods belong to the goroutine that reads the channel.
type Inbox[M proto.Message] struct {
	bus  *Bus
	conn Conn
	ch   chan *Message
	make func() M
	subs map[string]Subscription
}

// Listen returns an inbox with no subject yet. newM makes an empty message, e.g.
// func() *relaypb.ReqInbox { return new(relaypb.ReqInbox) }. Capacity 0 means
// DefaultInbox.
func Listen[M proto.Message](b *Bus, newM func() M, capacity int) *Inbox[M] {
	if capacity == 0 {
		capacity = DefaultInbox
	}
	return &Inbox[M]{bus: b, conn: b.in, ch: make(chan *Message, capacity), make: newM, subs: make(map[string]Subscription)}
}

// C is where messages arrive, each to be given to Each. It is never closed.
func (in *Inbox[M]) C() <-chan *Message { return in.ch }

// Waiting is how many bus messages have arrived and not been read.
func (in *Inbox[M]) Waiting() int { return len(in.ch) }

// Add starts delivery from a subject; adding one twice is nothing.
func (in *Inbox[M]) Add(subj string) error {
	if _, ok := in.subs[subj]; ok {
		return nil
	}
	s, err := in.conn.Subscribe(subj, in.ch)
	if err != nil {
		return fmt.Errorf("bus: listen on %s: %w", subj, err)
	}
	in.subs[subj] = s
	return nil
}

// Remove ends delivery from a subject. What has arrived stays in the channel.
func (in *Inbox[M]) Remove(subj string) error {
	s, ok := in.subs[subj]
	if !ok {
		return nil
	}
	delete(in.subs, subj)
	return s.Unsubscribe()
}

// Close ends delivery from all subjects.
func (in *Inbox[M]) Close() {
	for subj := range in.subs {
		in.Remove(subj)
	}
}

// Each calls handle for each message of a batch, in order. The message is
// handle's to keep. What does not decode is counted and skipped.
func (in *Inbox[M]) Each(msg *Message, handle func(M)) {
	_, messages := Split(msg.Data)
	for body, err := range messages {
		if err != nil {
			in.bus.noteGarbage(msg, err)
			return
		}
		m := in.make()
		if err := proto.Unmarshal(body, m); err != nil {
			in.bus.noteGarbage(msg, err)
			continue
		}
		handle(m)
	}
}

// Reply answers a request on the control connection. A message that asks for no
// reply gets none.
func (b *Bus) Reply(msg *Message, m proto.Message) error {
	if msg.Reply == "" {
		return nil
	}
	data, err := single(m)
	if err != nil {
		return err
	}
	return b.control.Publish(msg.Reply, "", data)
}
