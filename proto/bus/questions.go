package bus

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/relaypb"
)

// Questions asks questions of one kind and hears the answers, messages of kind M, in
// one channel: who asks many needs no goroutine for each. Each question is about
// something, a T, which comes back with its answer. Its methods belong to the
// goroutine that reads the channel.
type Questions[M proto.Message, T any] struct {
	bus    *Bus
	prefix string // of the subjects of answers
	ch     chan *Message
	make   func() M
	sub    Subscription

	last uint64
	open map[uint64]question[T]
	buf  []byte
}

type question[T any] struct {
	about T
	at    time.Time
	here  bool // somebody in this process has it, whatever NATS says
}

// NewQuestions returns a Questions of a stage or command whose name is one NATS token;
// capacity is how many answers wait in the channel at the most. The caller closes it.
func NewQuestions[M proto.Message, T any](b *Bus, asker string, newM func() M, capacity int) (*Questions[M, T], error) {
	q := &Questions[M, T]{
		bus: b, prefix: fmt.Sprintf("%s.%s.", b.Space.Replies(asker), b.Instance),
		ch: make(chan *Message, capacity), make: newM, open: make(map[uint64]question[T]),
	}
	var err error
	if q.sub, err = b.in.Subscribe(q.prefix+"*", q.ch); err != nil {
		return nil, fmt.Errorf("bus: listen on %s*: %w", q.prefix, err)
	}
	return q, nil
}

// Close ends delivery. What is open stays unanswered.
func (q *Questions[M, T]) Close() { _ = q.sub.Unsubscribe() } // the connection may have ended

// Ask asks whoever listens on subj. After an error nothing was asked.
func (q *Questions[M, T]) Ask(now time.Time, subj string, m proto.Message, about T) (err error) {
	if q.buf, err = appendFrame(appendStamp(q.buf[:0], now), m); err != nil {
		return err
	}
	q.last++
	here, err := q.bus.out.Ask(subj, q.prefix+strconv.FormatUint(q.last, 36), q.buf)
	if cap(q.buf) > 2*MaxBatch {
		q.buf = nil
	}
	if err != nil {
		return err
	}
	q.open[q.last] = question[T]{about, now, here}
	return nil
}

// C is where answers arrive, each to be given to Answer. It is never closed.
func (q *Questions[M, T]) C() <-chan *Message { return q.ch }

// Answer takes an answer apart. Not ok: it answers nothing that is open. The error is
// ErrNobody, or says that the answer does not decode.
func (q *Questions[M, T]) Answer(msg *Message) (about T, asked time.Time, answer M, err error, ok bool) {
	num, err := strconv.ParseUint(strings.TrimPrefix(msg.Subject, q.prefix), 36, 64)
	open, ok := q.open[num]
	refused := refusesQuestion(msg)
	if err != nil || !ok || refused && open.here {
		return about, asked, answer, nil, false
	}
	delete(q.open, num)
	if refused {
		return open.about, open.at, answer, ErrNobody, true
	}
	sent, data := cutStamp(msg.Data)
	observeHop(q.bus.replies, sent)
	answer = q.make()
	body, rest, err := cutFrame(data)
	if err == nil && len(rest) > 0 {
		err = errFrame
	}
	if err == nil {
		err = relaypb.Read(body, answer)
	}
	if err != nil {
		q.bus.noteGarbage(msg, err)
	}
	return open.about, open.at, answer, err, true
}

// GiveUp forgets the questions that were asked before a time, and tells what they
// were about.
func (q *Questions[M, T]) GiveUp(before time.Time, tell func(about T, asked time.Time)) {
	for num, open := range q.open {
		if open.at.Before(before) {
			delete(q.open, num)
			tell(open.about, open.at)
		}
	}
}
