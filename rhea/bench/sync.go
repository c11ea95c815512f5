package bench

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"rhea/proto/negentropy"
	"rhea/rhea/bench/histogram"
	"rhea/rhea/bench/wire"
)

const (
	lacks     = 100    // a client that syncs lacks each so-many-th event
	syncFrame = 50_000 // bytes of a negentropy message, before hex
	maxTurns  = 1000   // of one session
)

// reconcile measures NIP-77 sessions over the whole store, of a client that lacks one
// event in a hundred.
func reconcile(s *Session) ([]Result, error) {
	if err := s.fill(); err != nil {
		return nil, err
	}
	events, err := s.main()
	if err != nil {
		return nil, err
	}
	var held []negentropy.Item
	missing := 0
	for i := range events {
		if i%lacks == 0 {
			missing++
			continue
		}
		held = append(held, negentropy.Item{CreatedAt: events[i].CreatedAt, ID: events[i].ID})
	}
	g := s.group()
	defer g.close()
	h := &syncer{g: g, set: negentropy.NewSlice(held), missing: missing, done: make(chan struct{})}
	c, err := g.dial(h, nil)
	if err != nil {
		return nil, err
	}
	before, err := s.relay.read(true)
	if err != nil {
		return nil, err
	}
	h.until = time.Now().Add(s.Time)
	h.open(c)
	c.Flush()
	if err := g.wait(h.done, "NEG-MSG"); err != nil {
		return nil, fmt.Errorf("%w (%d sessions are done)", err, h.sessions)
	}
	res, err := s.relay.measure(before, "sync", uint64(h.sessions), 0, &h.latency)
	if err != nil {
		return nil, err
	}
	res.figure("turns", float64(h.turns)/float64(h.sessions))
	res.figure("bytes", float64(h.bytes)/float64(h.sessions))
	res.figure("found", float64(h.found)/float64(h.sessions))
	return []Result{res}, nil
}

// syncer is the handler of the connection. Its fields belong to that, but for what the
// workload sets before it opens the first session and reads after done.
type syncer struct {
	g       *group
	set     negentropy.Set
	missing int
	until   time.Time
	done    chan struct{}

	client   *negentropy.Client
	begun    time.Time
	sub      string
	sessions int
	turn     int // of this session
	turns    int
	bytes    int // both ways, in hex
	found    int
	latency  histogram.Histogram
}

// open queues the first message of the next session.
func (h *syncer) open(c *wire.Conn) {
	h.sub = "n" + strconv.Itoa(h.sessions)
	h.client, h.begun, h.turn = negentropy.NewClient(h.set, syncFrame), time.Now(), 0
	text := hex.AppendEncode(nil, h.client.Open())
	h.bytes += len(text)
	c.Queue([]byte(`["NEG-OPEN","`+h.sub+`",{},"`), text, []byte(`"]`))
}

func (h *syncer) Message(c *wire.Conn, msg []byte, at time.Time) {
	verb, arg, rest, _ := wire.Split(msg)
	switch {
	case string(verb) == "NEG-MSG" && string(arg) == h.sub:
		if err := h.answer(c, rest, at); err != nil {
			c.Fail(err)
		}
	case string(verb) == "NEG-ERR":
		c.Fail(fmt.Errorf("the relay refuses to reconcile: %s", rest))
	default:
		h.g.other(verb, arg)
	}
}

func (h *syncer) Turn(c *wire.Conn) { c.Flush() }

func (h *syncer) answer(c *wire.Conn, rest []byte, at time.Time) error {
	text, ok := wire.String(rest)
	if !ok {
		return errors.New("the relay sends a NEG-MSG without a message")
	}
	msg, err := hex.DecodeString(string(text))
	if err != nil {
		return fmt.Errorf("a NEG-MSG: %w", err)
	}
	h.g.moved.Add(1)
	h.turn++
	h.turns++
	h.bytes += len(text)
	reply, done, err := h.client.Next(nil, msg)
	if err != nil {
		return err
	}
	if !done {
		if h.turn >= maxTurns {
			return fmt.Errorf("a sync is not done after %d turns", maxTurns)
		}
		text := hex.AppendEncode(nil, reply)
		h.bytes += len(text)
		c.Queue([]byte(`["NEG-MSG","`+h.sub+`","`), text, []byte(`"]`))
		return nil
	}
	return h.finish(c, at)
}

// finish checks what a session has found, and opens the next while there is time.
func (h *syncer) finish(c *wire.Conn, at time.Time) error {
	if len(h.client.Need) < h.missing || len(h.client.Have) > 0 {
		return fmt.Errorf("a sync has found %d of %d events that only the relay has, and %d that it should have too",
			len(h.client.Need), h.missing, len(h.client.Have))
	}
	h.latency.Record(at.Sub(h.begun))
	h.found += len(h.client.Need)
	h.sessions++
	c.Queue([]byte(`["NEG-CLOSE","` + h.sub + `"]`))
	if !at.Before(h.until) {
		close(h.done)
		h.sub = "" // what comes now is for nobody
		return nil
	}
	h.open(c)
	return nil
}
