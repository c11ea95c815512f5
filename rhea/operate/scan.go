package operate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
)

// Query says which events to read, and in which order.
type Query struct {
	Filters   []string // JSON; an event that matches one of them is read; none is all
	Ascending bool     // oldest first
	Limit     int      // events in all; 0 is any number
}

// How a query is asked slice by slice: how many bytes at a time, how long one
// slice may take, and how long a writer that is away or busy is waited for.
const (
	sliceBytes   = 256 << 10
	sliceTimeout = 10 * time.Second
	scanPatience = 30 * time.Second
	scanPause    = 100 * time.Millisecond
)

// Scan writes the events of a query to w, one a line, and returns how many: all that
// are stored, private kinds and what has expired and is not removed yet included. When
// the reader of w is gone, Scan ends without an error.
//
// The slices are no snapshot. Newest first, what is committed while Scan reads is
// left out, and so is an event that is replaced or deleted before its turn comes.
// Oldest first, the new version of an event that is replaced is written, since it
// still lies ahead: it is newer or, within a second, has the lower id, which comes
// later. If the old version's turn had come, both are written. Of the other events
// committed meanwhile, those that lie ahead are written.
func Scan(ctx context.Context, b *bus.Bus, q Query, w io.Writer) (int, error) {
	if err := q.Check(); err != nil {
		return 0, err
	}
	filters := []byte("{}")
	if len(q.Filters) > 0 {
		filters = []byte(strings.Join(q.Filters, ","))
	}
	out := bufio.NewWriterSize(w, sliceBytes)
	ask := &relaypb.Scan{Filters: filters, MaxBytes: sliceBytes, Ascending: q.Ascending, Everything: true}
	written := 0
	for {
		reply, err := slice(ctx, b, ask)
		if err != nil {
			return written, errors.Join(err, out.Flush())
		}
		for _, event := range reply.Events {
			if q.Limit > 0 && written >= q.Limit {
				break
			}
			out.Write(event) // an error stays, and comes out of Flush
			out.WriteByte('\n')
			written++
		}
		if err := out.Flush(); err != nil {
			if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) {
				return written, nil
			}
			return written, err
		}
		if reply.Done || q.Limit > 0 && written >= q.Limit {
			return written, nil
		}
		ask.Cursor = reply.Cursor
		if !q.Ascending { // else the new version of a replaced event would be left out too
			ask.AsOf = reply.AsOf
		}
	}
}

// Check says what is wrong with the filters, so that a typing error is answered
// before anything is asked.
func (q Query) Check() error {
	for _, f := range q.Filters {
		if _, err := nostr.ParseFilters([]byte(f), nostr.FilterLimits{MaxFilters: 1000, MaxValues: 1_000_000}); err != nil {
			return fmt.Errorf("filter %s: %w", f, err)
		}
	}
	return nil
}

// slice asks for one slice, again while nobody is there to answer: the cursor
// lets another writer go on where the one before has ended.
func slice(ctx context.Context, b *bus.Bus, ask *relaypb.Scan) (*relaypb.ScanReply, error) {
	deadline := time.Now().Add(scanPatience)
	for {
		askCtx, cancel := context.WithTimeout(ctx, sliceTimeout)
		reply, err := b.Scan(askCtx, ask)
		cancel()
		if err == nil && reply.Error != "" {
			err = errors.New(reply.Error)
			if !strings.HasPrefix(reply.Error, string(nostr.Failed)) {
				return nil, err // the query's fault: asking again is no use
			}
		}
		if err == nil {
			return reply, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the writer does not answer: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(scanPause):
		}
	}
}
