package bus

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/relaypb"
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
	read func([]byte, M) error
	subs map[string]Subscription
	hops Observer // nil: nobody
}

// Observer takes measurements, in seconds; stage.Histogram is one. It must be
// quick, and safe for concurrent use.
type Observer interface{ Observe(seconds float64) }

// observeHop notes how long something sent was on its way: it has waited in the
// sender's kernel, in NATS and here, and is taken now. Clocks of two machines may
// differ; what seems to come from the future took no time.
func observeHop(to Observer, sent time.Time) {
	if to != nil && !sent.IsZero() {
		to.Observe(max(0, time.Since(sent)).Seconds())
	}
}

// Again is the newM of an inbox whose handler keeps no message: there is one, that is
// read into again, and reading takes no memory.
func Again[M any]() func() *M {
	m := new(M)
	return func() *M { return m }
}

// Listen returns an inbox with no subject yet. newM makes an empty message, e.g.
// func() *relaypb.ReqInbox { return new(relaypb.ReqInbox) }, or Again. Capacity 0 means
// DefaultInbox.
func Listen[M proto.Message](b *Bus, newM func() M, capacity int) *Inbox[M] {
	if capacity == 0 {
		capacity = DefaultInbox
	}
	return &Inbox[M]{bus: b, conn: b.in, ch: make(chan *Message, capacity), make: newM, read: func(b []byte, m M) error { return relaypb.Read(b, m) }, subs: make(map[string]Subscription)}
}

// MeasureHops has an observer told of each bus message how long it took from being
// sent to being taken by Each. It is called before the first message.
func (in *Inbox[M]) MeasureHops(to Observer) { in.hops = to }

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

// Each calls handle for each message of a batch, in order. The message is handle's to
// keep, unless newM is Again: then only bytes and texts that it holds may be kept. Some
// bytes are pieces of the batch, and keep it (relaypb.Read). What does not decode is
// counted and skipped.
func (in *Inbox[M]) Each(msg *Message, handle func(M)) {
	sent, messages := Split(msg.Data)
	observeHop(in.hops, sent)
	for body, err := range messages {
		if err != nil {
			in.bus.noteGarbage(msg, err)
			return
		}
		m := in.make()
		if err := in.read(body, m); err != nil {
			in.bus.noteGarbage(msg, err)
			continue
		}
		handle(m)
	}
}

// Reply answers a request on the control connection. A message that asks for no
// reply gets none.
func (b *Bus) Reply(msg *Message, m proto.Message) error { return reply(b.control, msg, m) }

// ReplyBehind is Reply behind what outboxes have published: who hears everything hears
// it in that order.
func (b *Bus) ReplyBehind(msg *Message, m proto.Message) error { return reply(b.out, msg, m) }

func reply(conn Conn, msg *Message, m proto.Message) error {
	if msg.Reply == "" {
		return nil
	}
	data, err := single(m)
	if err != nil {
		return err
	}
	return conn.Publish(msg.Reply, "", data)
}
