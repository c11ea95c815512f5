package negentropy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/subject"
)

const (
	followBuffer = 16                     // batches of the log that wait for the loop
	loadAgain    = 500 * time.Millisecond // after a scan that failed
)

// loader feeds the mirror: it scans all public events, then follows the log from
// the Seq that the scan was of, and begins again when the store turns out to be
// another.
type loader struct {
	bus     *bus.Bus
	roster  *bus.Roster
	reader  *reader
	log     *slog.Logger
	max     int // events
	out     chan news
	hops    bus.Observer
	private uint64 // fingerprint of the kinds that are no stranger's to see
}

var errTooMany = errors.New("there are more events than max_tree_records")

// run feeds out until ctx ends. It returns an error only when it cannot listen.
func (l *loader) run(ctx context.Context) error {
	if l.max == 0 {
		l.send(ctx, news{tooMany: true})
		return nil
	}
	differs := false // and has been said
	for ctx.Err() == nil {
		store := l.store()
		s := &scan{filters: []byte(`{}`), limit: nostr.NoLimit, expires: true, private: l.private, set: newTree()}
		began := time.Now()
		err := errors.New("there is no writer")
		if store != 0 {
			err = l.load(ctx, s)
		}
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, errTooMany):
			l.send(ctx, news{tooMany: true})
			return nil
		case err != nil:
			if errors.Is(err, errOtherKinds) && !differs {
				differs = true
				l.log.Warn("the events are not scanned while the writer goes by other private_kinds")
			}
			l.log.Debug("the events cannot be scanned yet, will try again", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(loadAgain):
			}
		default:
			l.log.Info("scanned all public events", "events", s.found, "seq", s.asOf, "took", time.Since(began))
			if err := l.follow(ctx, s, store); err != nil {
				return err
			}
		}
	}
	return nil
}

// store is the identity of the store that is being served, 0 if none is.
func (l *loader) store() uint64 {
	for _, m := range l.roster.View().Members(subject.Writer) {
		if m.Store != 0 {
			return m.Store
		}
	}
	return 0
}

func (l *loader) load(ctx context.Context, s *scan) error {
	for !s.done {
		if err := l.reader.next(ctx, s); err != nil {
			return err
		}
		if s.found > l.max {
			return errTooMany
		}
	}
	return nil
}

// follow sends the tree and the log, for as long as they belong together.
func (l *loader) follow(ctx context.Context, s *scan, store uint64) error {
	ctx, cancel := context.WithCancel(ctx)
	f := bus.NewFollower(l.bus, l.roster, subject.Seq(s.asOf), followBuffer)
	f.MeasureHops(l.hops)
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	defer func() { cancel(); <-ended }()

	next, n := s.asOf+1, news{tree: s.set, expiring: s.expiring}
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			ended <- err
			if err != nil {
				err = fmt.Errorf("negentropy: following the log: %w", err)
			}
			return err
		case e := <-f.C():
			if e.Store != store || e.From != next {
				l.log.Warn("the store is another; all events are scanned again")
				l.send(ctx, news{})
				return nil
			}
			next, n.entries = e.Next, e
			l.send(ctx, n)
			n = news{}
		}
	}
}

func (l *loader) send(ctx context.Context, n news) {
	select {
	case <-ctx.Done():
	case l.out <- n:
	}
}
