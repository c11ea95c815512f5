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

// next reads the next slice of a scan. While nobody answers, or the store is too
// busy, it asks again until ctx ends.
func (r *reader) next(ctx context.Context, s *scan) error {
	for rest := shortestRest; ; rest = min(2*rest, longestRest) {
		reply, err := r.ask(ctx, s.request())
		switch {
		case err != nil:
			r.metrics.failures.Inc()
		case reply.Error == "":
			before := s.found
			err := s.add(reply)
			r.metrics.slices.Inc()
			r.metrics.records.Add(s.found - before)
			return err
		case !mayPass(reply.Error):
			return errRefused(reply.Error)
		default:
			r.metrics.busy.Inc()
		}
		select {
		case <-ctx.Done():
			return errors.New("the store does not answer")
		case <-time.After(rest):
		}
	}
}

func (r *reader) ask(ctx context.Context, m *relaypb.Scan) (*relaypb.ScanReply, error) {
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	reply := new(relaypb.ScanReply)
	in := &relaypb.ScanInbox{Body: &relaypb.ScanInbox_Scan{Scan: m}}
	if err := r.bus.Request(ctx, r.bus.Space.Scan(), in, reply); err != nil {
		return nil, err
	}
	return reply, nil
}

// mayPass says whether an error of the store is one of the moment: it is busy, or
// stopping.
func mayPass(text string) bool {
	return strings.HasPrefix(text, string(nostr.RateLimited)+":") || strings.HasPrefix(text, string(nostr.Failed)+":")
}
