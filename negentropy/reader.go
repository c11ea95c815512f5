package negentropy

import (
	"context"
	"errors"
	"strings"
	"time"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
)

// How long a slice may take, to have lost an answer cost little, and the pause
// before one that was not to be had is asked for again: doubling up to the longest.
const (
	scanTimeout  = 3 * time.Second
	shortestRest = 50 * time.Millisecond
	longestRest  = time.Second
)

// reader reads the store that is served on the bus. It is safe for concurrent use.
type reader struct {
	bus     *bus.Bus
	metrics *metrics
}

// errRefused is an error that the store has answered with; its text has a prefix.
type errRefused string

func (e errRefused) Error() string { return string(e) }

// patience is how many errors of its own in a row the store is asked again after:
// it may be stopping.
const patience = 5

// next reads the next slice of a scan. While nobody answers, or the store is too
// busy, it asks again until ctx ends.
func (r *reader) next(ctx context.Context, s *scan) error {
	faults := 0
	for rest := shortestRest; ; rest = min(2*rest, longestRest) {
		reply, err := r.ask(ctx, s.request())
		switch {
		case err != nil:
			r.metrics.failures.Inc()
		case reply.Error == "":
			return r.add(s, reply)
		case isBusy(reply.Error):
			r.metrics.busy.Inc()
		default:
			if faults++; faults == patience || !isFault(reply.Error) {
				return errRefused(reply.Error)
			}
			r.metrics.busy.Inc()
		}
		select {
		case <-ctx.Done():
			return errors.New("the store does not answer")
		case <-time.After(rest):
		}
	}
}

func (r *reader) add(s *scan, reply *relaypb.ScanReply) error {
	before := s.found
	err := s.add(reply)
	r.metrics.slices.Inc()
	r.metrics.records.Add(s.found - before)
	return err
}

func (r *reader) ask(ctx context.Context, m *relaypb.Scan) (*relaypb.ScanReply, error) {
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	return r.bus.Scan(ctx, m)
}

func isBusy(text string) bool {
	return strings.HasPrefix(text, nostr.RateLimited.Text("")) || strings.HasPrefix(text, nostr.Failed.Text("busy"))
}

func isFault(text string) bool { return strings.HasPrefix(text, nostr.Failed.Text("")) }
