package record

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"rhea/proto/bus"
	"rhea/rhea/tap"
)

// session is the writing half of a recording. It belongs to one goroutine.
type session struct {
	w        *tap.Writer
	bus      *bus.Bus // whose messages these are; nil, as is queue, when they come from a stream
	queue    *queue
	o        Options
	changes  *changes
	redactor *redactor
	started  time.Time
	progress Progress
	noted    losses
}

// losses counts what kept messages out of the recording.
type losses struct{ dropped, reconnects uint64 }

func newSession(w *tap.Writer, prefix string, o Options, started time.Time) *session {
	secret := make([]byte, 32)
	rand.Read(secret) // never fails
	return &session{
		w: w, o: o, started: started, changes: newChanges(prefix, o.AllMembers),
		redactor: newRedactor(prefix, o.Redact, secret), progress: Progress{Bytes: w.Whole()},
	}
}

// run writes what is queued until there is a reason to end.
func (s *session) run(ctx context.Context) (p Progress, err error) {
	defer func() { p.Bytes = s.w.Whole() }()
	dead := make(chan error, 1)
	watching, stop := context.WithCancel(ctx)
	go func() { defer close(dead); dead <- s.bus.Watch(watching) }()
	defer func() {
		stop()
		for range dead {
		}
	}()
	beat := time.NewTicker(flushEvery)
	defer beat.Stop()
	var taken []tap.Message
	for {
		var why string
		var lost error // the bus, for good
		select {
		case lost = <-dead:
			if why = ByHand; lost != nil {
				why = ByFault
			}
		case <-s.queue.more:
		case <-beat.C:
			if err := s.beat(); err != nil {
				return s.progress, err
			}
			if s.o.MaxAge > 0 && time.Since(s.started) >= s.o.MaxAge {
				why = ByAge
			}
		}
		taken = s.queue.take(taken)
		full, err := s.keep(taken)
		if err != nil {
			return s.progress, err
		}
		if full {
			why = BySize
		}
		if why != "" {
			return s.end(why, lost)
		}
	}
}

// keep writes messages; full says that the file has reached its size.
func (s *session) keep(messages []tap.Message) (full bool, err error) {
	for _, m := range messages {
		if !s.changes.worth(m) {
			continue
		}
		s.redactor.apply(&m)
		switch err := s.w.Append(m); {
		case errors.Is(err, tap.ErrTooLarge):
			if err := s.drop(m.At, 1, "a message on "+m.Subject+" is too large"); err != nil {
				return false, err
			}
		case err != nil:
			return false, err
		default:
			s.progress.Messages++
		}
		if s.progress.Bytes = s.w.Whole(); s.o.MaxSize > 0 && s.progress.Bytes >= s.o.MaxSize {
			return true, nil
		}
	}
	return false, nil
}

func (s *session) drop(at time.Time, n uint64, why string) error {
	s.progress.Dropped += n
	return s.w.Note(tap.Note{At: at, Kind: tap.Dropped, Count: n, Text: why})
}

// beat notes what was lost since the last one, flushes, and reports.
func (s *session) beat() error {
	now := time.Now()
	if err := s.note(now); err != nil {
		return err
	}
	if err := s.w.Flush(); err != nil {
		return err
	}
	s.progress.Bytes, s.progress.Took = s.w.Whole(), now.Sub(s.started)
	if s.o.Progress != nil {
		s.o.Progress(s.progress)
	}
	return nil
}

func (s *session) note(now time.Time) error {
	total := losses{s.queue.lost() + s.bus.Dropped(), s.bus.Reconnects()}
	defer func() { s.noted = total }()
	if n := total.dropped - s.noted.dropped; n > 0 {
		if err := s.drop(now, n, "the recorder did not keep up"); err != nil {
			return err
		}
	}
	if n := total.reconnects - s.noted.reconnects; n > 0 {
		s.progress.Reconnects += n
		return s.w.Note(tap.Note{At: now, Kind: tap.Reconnected})
	}
	return nil
}

// end writes the recording's end.
func (s *session) end(why string, lost error) (Progress, error) {
	if err := s.note(time.Now()); err != nil {
		return s.progress, errors.Join(err, lost)
	}
	p, err := s.close(why)
	return p, errors.Join(err, lost)
}

func (s *session) close(why string) (Progress, error) {
	now := time.Now()
	err := s.w.Close(now, why)
	if err == nil {
		s.progress.Why = why
	}
	s.progress.Bytes, s.progress.Took = s.w.Whole(), now.Sub(s.started)
	return s.progress, err
}
