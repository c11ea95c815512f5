package bus

import (
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
)

// MaxBatch is how many bytes an Outbox packs into one bus message; a single
// message may be larger, up to MaxMessage.
const MaxBatch = 48 << 10

// MaxMessage is the largest bus message, a little under NATS's default payload
// limit of 1 MiB.
const MaxMessage = 1<<20 - 4<<10

// ErrTooLarge is returned for a message that no bus carries.
var ErrTooLarge = fmt.Errorf("bus: message of more than %d bytes", MaxMessage)

var errFrame = errors.New("bus: broken batch")

// appendFrame appends one message, preceded by its length.
func appendFrame(dst []byte, m proto.Message) ([]byte, error) {
	size := proto.Size(m)
	if size > MaxMessage {
		return dst, ErrTooLarge
	}
	dst = binary.AppendUvarint(dst, uint64(size))
	return proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(dst, m)
}

// cutFrame splits the first message off a batch.
func cutFrame(data []byte) (body, rest []byte, err error) {
	n, used := binary.Uvarint(data)
	if used <= 0 || n > uint64(len(data)-used) {
		return nil, nil, errFrame
	}
	return data[used : used+int(n)], data[used+int(n):], nil
}

// Outbox packs messages into batches. It belongs to one goroutine.
type Outbox struct {
	bus     *Bus
	conn    Conn
	open    map[string]*batch
	order   []*batch // with something in them, in the order of the first Send
	dropped uint64
}

type batch struct {
	subject string
	data    []byte
}

// maxIdleBatches bounds the buffers that an outbox keeps between flushes.
const maxIdleBatches = 256

// NewOutbox returns an empty outbox.
func (b *Bus) NewOutbox() *Outbox {
	return &Outbox{bus: b, conn: b.out, open: make(map[string]*batch)}
}

// Send adds m to the batch for subj, publishing the batch first if m would make
// it larger than MaxBatch. The message is encoded before Send returns. An error
// means that m, or a batch before it, was not sent: the bus is down or m is
// larger than MaxMessage. The contract's answers and numbers make the loss good,
// so callers mostly count it (Failed) and go on.
func (o *Outbox) Send(subj string, m proto.Message) error {
	bt := o.open[subj]
	if bt == nil {
		if len(o.open) >= maxIdleBatches && len(o.order) == 0 {
			clear(o.open)
		}
		bt = &batch{subject: subj}
		o.open[subj] = bt
	}
	var flushErr error
	if len(bt.data) > 0 && len(bt.data)+proto.Size(m) > MaxBatch {
		flushErr = o.publish(bt)
	}
	wasEmpty := len(bt.data) == 0
	data, err := appendFrame(bt.data, m)
	if err != nil {
		o.dropped++
		return err
	}
	bt.data = data
	if wasEmpty {
		o.order = append(o.order, bt)
	}
	return flushErr
}

// Flush publishes what has been sent since the last flush.
func (o *Outbox) Flush() error {
	var first error
	for _, bt := range o.order {
		if len(bt.data) == 0 {
			continue
		}
		if err := o.publish(bt); err != nil && first == nil {
			first = err
		}
	}
	clear(o.order)
	o.order = o.order[:0]
	return first
}

// Failed counts batches and messages that could not be published.
func (o *Outbox) Failed() uint64 { return o.dropped }

func (o *Outbox) publish(bt *batch) error {
	err := o.conn.Publish(bt.subject, "", bt.data)
	if cap(bt.data) > 2*MaxBatch {
		bt.data = nil
	}
	bt.data = bt.data[:0]
	if err != nil {
		o.dropped++
	}
	return err
}
