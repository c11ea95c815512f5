package bus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"rhea/proto/relaypb"
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

// A bus message begins with a stamp: a zero byte, which no message does because
// none is empty, and when it was sent, Unix nanoseconds, little endian. So the
// time on the way can be told, as far as the machines' clocks agree, and a
// recording tells waiting from working. A message without one is as good.
const stampLen = 1 + 8

func appendStamp(dst []byte, at time.Time) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, 0), uint64(at.UnixNano()))
}

// cutStamp splits the stamp off a bus message; the time is zero without one.
func cutStamp(data []byte) (sent time.Time, rest []byte) {
	if len(data) < stampLen || data[0] != 0 {
		return time.Time{}, data
	}
	return time.Unix(0, int64(binary.LittleEndian.Uint64(data[1:]))), data[stampLen:]
}

// Split takes a bus message apart: when it was sent, zero if it does not say, and
// the encoded messages in it. It ends after an error.
func Split(data []byte) (sent time.Time, messages iter.Seq2[[]byte, error]) {
	sent, data = cutStamp(data)
	return sent, func(yield func([]byte, error) bool) {
		for rest := data; len(rest) > 0; {
			var body []byte
			var err error
			if body, rest, err = cutFrame(rest); err != nil {
				yield(nil, err)
				return
			}
			if !yield(body, nil) {
				return
			}
		}
	}
}

// Join makes a bus message of encoded messages, as an Outbox would send it now.
// The caller sees to MaxMessage.
func Join(at time.Time, messages ...[]byte) []byte {
	data := appendStamp(nil, at)
	for _, m := range messages {
		data = append(binary.AppendUvarint(data, uint64(len(m))), m...)
	}
	return data
}

// single is the bus message of one message.
func single(m proto.Message) ([]byte, error) {
	return appendFrame(appendStamp(nil, time.Now()), m)
}

// appendFrame appends one message, preceded by its length.
func appendFrame(dst []byte, m proto.Message) ([]byte, error) {
	size := relaypb.Size(m)
	if size > MaxMessage {
		return dst, ErrTooLarge
	}
	return relaypb.Append(binary.AppendUvarint(dst, uint64(size)), m)
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
	// Keep is the size of the largest buffer that is kept for each subject between
	// flushes, in bytes, if that is more than two batches. It is for those who send large
	// messages all the time, to few.
	Keep int

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
	if len(bt.data) > 0 && len(bt.data)+protowire.SizeBytes(relaypb.Size(m)) > MaxBatch {
		flushErr = o.publish(bt)
	}
	wasEmpty := len(bt.data) == 0
	if wasEmpty {
		bt.data = append(bt.data, make([]byte, stampLen)...) // filled in by publish
	}
	data, err := appendFrame(bt.data, m)
	if err != nil {
		if wasEmpty {
			bt.data = bt.data[:0]
		}
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
	appendStamp(bt.data[:0], time.Now())
	err := o.conn.Publish(bt.subject, "", bt.data)
	if cap(bt.data) > max(2*MaxBatch, o.Keep) {
		bt.data = nil
	}
	bt.data = bt.data[:0]
	if err != nil {
		o.dropped++
	}
	return err
}
