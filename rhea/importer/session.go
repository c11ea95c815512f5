package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// session is the shell around the core; all fields but o and the channels are the
// loop's.
type session struct {
	o      Options
	bus    *bus.Bus
	core   *core
	inbox  *bus.Inbox[*relaypb.OutInbox]
	outbox *bus.Outbox
	roster *bus.Roster
	lines  chan Line  // closed by the reader
	read   chan error // the reader's end
	notes  int
	size   int64        // of all files, 0 if unknown
	taken  atomic.Int64 // bytes read from them; the reader's to add to
	latest time.Time    // of the last answer, or of the first event after a pause
	ended  bool         // all lines are read

	// Of an import that goes on later; see resume.go.
	from  map[string]State // by file, where it begins; nil without
	store string
	seq   subject.Seq // as last seen
}

func (s *session) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	select {
	case <-s.roster.Settled():
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.o.Resume {
		if err := s.goOn(ctx); err != nil {
			return err
		}
	}
	// The reader ends with its files or with ctx; but not while a Read blocks, as
	// one of a terminal may for ever, so nobody waits for it.
	go func() {
		s.read <- s.readAll(ctx)
		close(s.lines)
	}()
	err := s.loop(ctx)
	if s.o.Resume {
		err = errors.Join(err, s.keep())
		if err == nil && s.core.result.Complete() {
			err = s.forget()
		}
	}
	return err
}

// readAll reads the files one after the other.
func (s *session) readAll(ctx context.Context) error {
	if len(s.o.Files) == 0 {
		return readLines(ctx, "", s.o.Stdin, s.o.MaxLine, nil, s.lines)
	}
	for _, name := range s.o.Files {
		if err := s.readFile(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) readFile(ctx context.Context, name string) error {
	if name == "-" {
		return readLines(ctx, "", s.o.Stdin, s.o.MaxLine, nil, s.lines)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	var from *State
	if state, ok := s.from[name]; ok {
		from = &state
	}
	return readLines(ctx, name, counted{f, &s.taken}, s.o.MaxLine, from, s.lines)
}

// counted adds up what is read.
type counted struct {
	io.Reader
	n *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// loop returns when all lines are read and answered.
func (s *session) loop(ctx context.Context) error {
	changes := s.roster.Changes()
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	s.latest = time.Now()
	var readErr error
	var next *Line // read, and waiting for room in the window
	for !s.ended || next != nil || len(s.core.waiting) > 0 {
		lines := s.lines
		if next != nil || s.ended {
			lines = nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(readErr, ctx.Err())
		case line, ok := <-lines:
			if !ok {
				s.ended, readErr = true, <-s.read
				continue
			}
			next = &line
		case msg := <-s.inbox.C():
			s.hear(msg)
		case <-changes:
			s.core.look(s.roster.View(), time.Now())
		case now := <-ticker.C:
			s.core.tick(now)
			s.report()
			if err := s.keep(); err != nil {
				return errors.Join(readErr, err)
			}
			if len(s.core.waiting) > 0 && now.Sub(s.latest) > givingUp {
				return errors.Join(readErr, ErrLost)
			}
		}
		next = s.take(next)
		s.flush()
	}
	s.report()
	return readErr
}

// hear handles a message and what waits behind it.
func (s *session) hear(msg *bus.Message) {
	for range maxDrain {
		s.inbox.Each(msg, func(m *relaypb.OutInbox) {
			v := m.GetVerdict()
			if v == nil {
				return
			}
			e := s.core.verdict(v)
			if e == nil {
				return
			}
			s.latest = time.Now()
			switch v.Outcome {
			case relaypb.Outcome_NEW, relaypb.Outcome_DUPLICATE, relaypb.Outcome_EPHEMERAL, relaypb.Outcome_REPLACED:
			default:
				s.note(e.line, v.Text)
			}
		})
		select {
		case msg = <-s.inbox.C():
		default:
			return
		}
	}
}

// take hands a line, and those that wait behind it, to the core. It returns the
// one that the window has no room for.
func (s *session) take(next *Line) *Line {
	for range maxDrain {
		if next == nil {
			select {
			case line, ok := <-s.lines:
				if !ok {
					return nil // the loop sees it
				}
				next = &line
			default:
				return nil
			}
		}
		if next.Mark != nil {
			s.core.mark(next.File, *next.Mark)
		} else if next.TooLong {
			s.core.result.TooLong++
			s.note(*next, fmt.Sprintf("longer than %s bytes", Thousands(s.o.MaxLine)))
		} else {
			if len(s.core.waiting) == 0 {
				s.latest = time.Now()
			}
			if !s.core.add(*next, time.Now()) {
				return next
			}
		}
		next = nil
	}
	return nil
}

// flush puts on the bus what the core has gathered. What cannot be sent now is
// sent again when its time comes.
func (s *session) flush() {
	for _, f := range s.core.out {
		_ = s.outbox.Send(s.bus.Space.Ingest(f.shard), &relaypb.IngestInbox{Body: &relaypb.IngestInbox_Event{Event: f.event}})
	}
	clear(s.core.out)
	s.core.out = s.core.out[:0]
	_ = s.outbox.Flush() // as above
}

func (s *session) note(line Line, reason string) {
	if s.notes++; (s.notes <= maxNotes || s.o.AllNotes) && s.o.Note != nil {
		s.o.Note(line.Place(), reason)
	}
}

func (s *session) report() {
	if s.o.Progress != nil {
		s.o.Progress(Progress{Result: s.core.result, Waiting: len(s.core.waiting), Read: s.taken.Load(), Size: s.size})
	}
}
