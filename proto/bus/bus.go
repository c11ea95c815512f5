package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// Message is a bus message as it arrives: NATS's own type, which the memory bus
// makes as well, so that no copy stands between the socket and the inbox. Data is
// the receiver's to keep and not to change.
type Message = nats.Msg

// Conn is what a Bus is made of: one connection to NATS, or to a Memory. All
// methods are safe for concurrent use.
type Conn interface {
	// Publish sends data to everybody who listens on subj, and keeps no reference
	// to it. It fails at once while the connection is down.
	Publish(subj, reply string, data []byte) error
	// Subscribe delivers what is published on subj into to, dropping what finds it
	// full, from the moment that it returns.
	Subscribe(subj string, to chan *Message) (Subscription, error)
	// Ask publishes a question, and keeps no reference to data. Here: somebody in this
	// process has heard it. If nobody has, anywhere, ErrNobody is returned, or NATS's
	// refusal comes on reply; what NATS says counts for nothing if somebody has it here.
	Ask(subj, reply string, data []byte) (here bool, err error)
	// Request publishes and waits for one reply. ErrNobody: no one listens there.
	Request(ctx context.Context, subj string, data []byte) (*Message, error)
	// Dropped counts the messages that found a channel full.
	Dropped() uint64
	// Traffic counts messages and bytes.
	Traffic() nats.Statistics
	// Reconnects counts how often the connection was lost and came back.
	Reconnects() uint64
	// Connected says whether the connection is up at the moment.
	Connected() bool
	// Refused counts what NATS did not permit.
	Refused() uint64
	// Dead receives once if the connection has ended for good, not by Close.
	Dead() <-chan error
	// Close flushes what was published and ends the connection.
	Close()
}

// Subscription is one subject's delivery into one channel.
type Subscription interface {
	Unsubscribe() error
}

var (
	// ErrNobody says that a request found nobody listening.
	ErrNobody = errors.New("bus: nobody listens on that subject")
	// ErrDown says that the connection is down; it comes back by itself.
	ErrDown = errors.New("bus: the connection to NATS is down")
)

// Bus is one process's access to a deployment's bus. Its methods are safe for
// concurrent use.
//
// It holds three connections, because a socket that is blocked by one kind of
// traffic blocks all that shares it: in (inboxes), out (outboxes), and control
// (announcements, requests and the log's fetches).
type Bus struct {
	Space    subject.Space
	Instance subject.Instance
	Log      *slog.Logger

	in, out, control Conn
	replies          Observer // nil: nobody
	garbage          atomic.Uint64
	lastGarbage      atomic.Int64 // Unix seconds of the last line logged
}

// NewInstance draws the identity of a run of a process.
func NewInstance() subject.Instance {
	for {
		if i := subject.Instance(rand.Uint32()); i != 0 {
			return i
		}
	}
}

// New joins connections to a Bus. The three may be one.
func New(space subject.Space, instance subject.Instance, log *slog.Logger, in, out, control Conn) *Bus {
	return &Bus{Space: space, Instance: instance, Log: log, in: in, out: out, control: control}
}

// Close ends the connections, flushing what was sent.
func (b *Bus) Close() {
	b.out.Close()
	b.control.Close()
	b.in.Close()
}

// Reconnects counts how often one of the connections was lost and came back.
// What was in flight then, in either direction, may be lost.
func (b *Bus) Reconnects() uint64 {
	n := b.in.Reconnects() + b.out.Reconnects()
	if b.control != b.in {
		n += b.control.Reconnects()
	}
	return n
}

// Down says which of the connections are down at the moment, nil if none is.
func (b *Bus) Down() error {
	var down []string
	for _, c := range []struct {
		name string
		conn Conn
	}{{"in", b.in}, {"out", b.out}, {"control", b.control}} {
		if !c.conn.Connected() {
			down = append(down, c.name)
		}
	}
	if len(down) > 0 {
		return fmt.Errorf("no connection to NATS (%s)", strings.Join(down, ", "))
	}
	return nil
}

// Traffic counts the messages and bytes of all connections, in both directions.
func (b *Bus) Traffic() nats.Statistics {
	var sum nats.Statistics
	for _, c := range []Conn{b.in, b.out, b.control} {
		s := c.Traffic()
		sum.InMsgs += s.InMsgs
		sum.OutMsgs += s.OutMsgs
		sum.InBytes += s.InBytes
		sum.OutBytes += s.OutBytes
		sum.Reconnects += s.Reconnects
	}
	return sum
}

// Watch waits until ctx ends, or a connection ends for good, which it returns: a
// process that hears or says only a part of what it should must not go on.
func (b *Bus) Watch(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-b.in.Dead():
		return err
	case err := <-b.out.Dead():
		return err
	case err := <-b.control.Dead():
		return err
	}
}

// Dropped counts messages that found an inbox of this process full.
func (b *Bus) Dropped() uint64 {
	n := b.in.Dropped()
	if b.control != b.in {
		n += b.control.Dropped()
	}
	return n
}

// Refused counts what this process tried to say or to hear and NATS did not
// permit: it has another's certificate or credentials, or the permissions are not
// those of this version.
func (b *Bus) Refused() uint64 {
	n := b.in.Refused() + b.out.Refused()
	if b.control != b.in {
		n += b.control.Refused()
	}
	return n
}

// Garbage counts messages and parts of messages that did not decode.
func (b *Bus) Garbage() uint64 { return b.garbage.Load() }

// Publish sends one message now, beside any outbox, on the control connection.
func (b *Bus) Publish(subj string, m proto.Message) error {
	data, err := single(m)
	if err != nil {
		return err
	}
	return b.control.Publish(subj, "", data)
}

// MeasureReplies has an observer told how long each reply to a Request took on its
// way. It is called before the first Request.
func (b *Bus) MeasureReplies(to Observer) { b.replies = to }

// Request asks and waits for the one reply, decoded into reply.
func (b *Bus) Request(ctx context.Context, subj string, m, reply proto.Message) error {
	data, err := single(m)
	if err != nil {
		return err
	}
	msg, err := b.control.Request(ctx, subj, data)
	if err != nil {
		return fmt.Errorf("bus: request on %s: %w", subj, err)
	}
	sent, data := cutStamp(msg.Data)
	observeHop(b.replies, sent)
	body, rest, err := cutFrame(data)
	if err != nil || len(rest) > 0 {
		b.noteGarbage(msg, err)
		return fmt.Errorf("bus: reply on %s is not one message", subj)
	}
	if err := relaypb.Read(body, reply); err != nil {
		b.noteGarbage(msg, err)
		return fmt.Errorf("bus: reply on %s: %w", subj, err)
	}
	return nil
}

func (b *Bus) noteGarbage(m *Message, err error) {
	b.garbage.Add(1)
	now := time.Now().Unix()
	if last := b.lastGarbage.Load(); now != last && b.lastGarbage.CompareAndSwap(last, now) {
		b.Log.Warn("a bus message does not decode and is skipped", "subject", m.Subject, "bytes", len(m.Data), "err", err)
	}
}
