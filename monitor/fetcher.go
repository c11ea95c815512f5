package monitor

import (
	"context"
	"errors"
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
)

// How ranges of the log are fetched. The pause between two bounds what a
// subscription that began long ago makes a gateway take: 25 MB a second.
const (
	fetchBytes   = 256 << 10
	fetchTimeout = 3 * time.Second
	fetchRetry   = 100 * time.Millisecond
	fetchPause   = 10 * time.Millisecond
)

// fetcher fetches ranges of the log for the core: one at a time, trying again
// until there is an answer.
type fetcher struct {
	bus     *bus.Bus
	asks    chan *fetch // holds one; the core asks for one at a time
	answers chan answer
	failed  func(error)
}

type answer struct {
	fetch   *fetch
	entries *relaypb.Entries
}

func newFetcher(b *bus.Bus, failed func(error)) *fetcher {
	return &fetcher{bus: b, asks: make(chan *fetch, 1), answers: make(chan answer), failed: failed}
}

// run serves asks until ctx ends. A new ask takes the place of one that is still
// without an answer: the core has lost interest in that.
func (f *fetcher) run(ctx context.Context) {
	var current *fetch
	for {
		if current == nil {
			select {
			case <-ctx.Done():
				return
			case current = <-f.asks:
			}
		}
		entries, err := f.ask(ctx, current)
		pause, answers := fetchPause, f.answers
		if err != nil {
			pause, answers = fetchRetry, nil
			if ctx.Err() == nil {
				f.failed(err)
			}
		}
		if answers != nil {
			select {
			case <-ctx.Done():
				return
			case answers <- answer{current, entries}:
				current = nil
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		select {
		case current = <-f.asks:
		default:
		}
	}
}

func (f *fetcher) ask(ctx context.Context, what *fetch) (*relaypb.Entries, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	reply := new(relaypb.LogInbox)
	m := &relaypb.LogFetch{From: uint64(what.from), MaxBytes: fetchBytes}
	if err := f.bus.Request(ctx, f.bus.Space.LogFetch(), m, reply); err != nil {
		return nil, err
	}
	e := reply.GetEntries()
	switch {
	case e == nil:
		return nil, errors.New("monitor: the log's answer is empty")
	case e.Error != "":
		return nil, errors.New("monitor: the log's answer: " + e.Error)
	case e.Next < e.From:
		return nil, errors.New("monitor: the log's answer is not a range")
	}
	return e, nil
}
