package trace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"rhea/proto/bus"
	"rhea/proto/subject"
	"rhea/rhea/tap/decode"
	"rhea/rhea/tap/show"
)

// Target is what to follow: an event or a connection.
type Target struct {
	Event string         // an id in hex, or at least its first 8 digits
	Conn  subject.ConnID // if Event is empty
}

// ParseTarget reads an event's id or a connection's, such as 1a2b3c4d-17.
func ParseTarget(s string) (t Target, err error) {
	if strings.Contains(s, "-") {
		t.Conn, err = show.ParseConn(s)
	} else {
		t.Event, err = show.ParseEvent(s)
	}
	return t, err
}

// Options say how long to wait.
type Options struct {
	// Timeout is how long to wait for the first sign; 0 is for ever.
	Timeout time.Duration
	// Patience is how long after an event's last hop its story is over; 0 is 2 s.
	Patience time.Duration
}

// ErrNothing says that nothing was seen of the target.
var ErrNothing = errors.New("nothing was seen of it")

const (
	defaultPatience = 2 * time.Second
	// maxHeard is how many bus messages wait for the tracer; what finds no room is
	// lost, which the end of the trace says.
	maxHeard = 65536
	look     = 100 * time.Millisecond
)

// story is what is told of a target.
type story interface {
	// subjects is where the target is spoken of.
	subjects(s subject.Space) []string
	// hear takes a bus message in and tells what it has to do with the target.
	hear(h hop)
	// over says whether nothing more is to be expected.
	over(now time.Time) bool
	// seen says whether anything has been told.
	seen() bool
	// end sums up.
	end()
}

// hop is a bus message as it was heard.
type hop struct {
	decode.Said
	at   time.Time
	view *bus.View
}

// sent is when the message was sent, or heard if it does not say.
func (h hop) sent() time.Time {
	if h.Sent.IsZero() {
		return h.at
	}
	return h.Sent
}

// Run follows the target until its story is over or ctx ends, and tells to w. The
// error is ErrNothing when there was nothing to tell in time, or that of w.
func Run(ctx context.Context, b *bus.Bus, target Target, w io.Writer, o Options) error {
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	roster := bus.NewRoster(b, "", "", nil)
	return roster.While(ctx, func(ctx context.Context) error {
		in := bus.Overhear(b, maxHeard)
		defer in.Close()
		t := &teller{w: w}
		var s story = &connStory{teller: t, conn: target.Conn}
		if target.Event != "" {
			s = &eventStory{teller: t, id: target.Event, patience: o.Patience}
		}
		for _, subj := range s.subjects(b.Space) {
			if err := in.Add(subj); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-roster.Settled():
		}
		if err := introduce(ctx, b, roster.View(), target, t); err != nil {
			return err
		}
		err := follow(ctx, b, roster, in.C(), s, t, o.Timeout)
		s.end()
		if n := b.Dropped(); n > 0 {
			t.tell("%d messages were lost to this command, which did not keep up", n)
		}
		return errors.Join(err, t.err)
	})
}

// follow hears until the story is over.
func follow(ctx context.Context, b *bus.Bus, roster *bus.Roster, from <-chan *bus.Message, s story, t *teller, timeout time.Duration) error {
	prefix := strings.TrimSuffix(b.Space.All(), "."+subject.Version+".>")
	began := time.Now()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for t.err == nil {
		select {
		case <-ctx.Done():
			return nil
		case m := <-from:
			s.hear(hop{decode.Message(prefix, m.Subject, m.Data), time.Now(), roster.View()})
		case now := <-tick.C:
			if s.over(now) {
				return nil
			}
			if timeout > 0 && !s.seen() && now.Sub(began) >= timeout {
				return fmt.Errorf("%w within %s", ErrNothing, timeout)
			}
		}
	}
	return nil
}

// teller prints a story, line by line. Its first error stays.
type teller struct {
	w    io.Writer
	err  error
	last time.Time // of the hop before
}

func (t *teller) tell(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format+"\n", args...)
	}
}

// hop tells one: when it was sent, how long after the one before, from whom to whom.
func (t *teller) hop(h hop, from, to, name, text string) {
	since := "            "
	if at := h.sent(); !t.last.IsZero() {
		since = fmt.Sprintf("%+9.3f ms", ms(at.Sub(t.last)))
	}
	t.last = h.sent()
	t.tell("%s  %s  %-19s → %-19s  %-11s %s", t.last.Format("15:04:05.000000"), since, from, to, name, text)
}

func ms(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
