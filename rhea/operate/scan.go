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
	ask, err := q.ask(relaypb.Want_EVENTS)
	if err != nil {
		return 0, err
	}
	out := bufio.NewWriterSize(w, sliceBytes)
	written := 0
	err = eachSlice(ctx, b, ask, func(reply *relaypb.ScanReply) (more bool, err error) {
		for _, event := range reply.Events {
			if q.Limit > 0 && written >= q.Limit {
				break
			}
			if q.behind != nil {
				e, err := nostr.ParseEvent(event, nostr.EventLimits{})
				if err != nil {
					return false, fmt.Errorf("an event that is stored: %w", err)
				}
				if !q.passed(e) {
					continue
				}
				q.behind = nil // all others come behind it too
			}
			out.Write(event) // an error stays, and comes out of Flush
			out.WriteByte('\n')
			written++
		}
		if err := out.Flush(); err != nil {
			return false, err
		}
		if q.Progress != nil {
			q.Progress(written)
		}
		return q.Limit == 0 || written < q.Limit, nil
	})
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) {
		err = nil
	}
	return written, err
}

// Count returns how many events match a query. With a limit, of the query or of one of
// its filters, they have to be read.
func Count(ctx context.Context, b *bus.Bus, q Query) (int, error) {
	if q.limited() {
		return Scan(ctx, b, q, io.Discard)
	}
	q.Ascending = false // at one moment
	ask, err := q.ask(relaypb.Want_COUNT)
	if err != nil {
		return 0, err
	}
	n := 0
	err = eachSlice(ctx, b, ask, func(reply *relaypb.ScanReply) (more bool, err error) {
		n += int(reply.Count)
		return true, nil
	})
	return n, err
}

// ask makes the question for the first slice.
func (q Query) ask(want relaypb.Want) (*relaypb.Scan, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	filters, err := q.bounded()
	return &relaypb.Scan{Filters: filters, MaxBytes: sliceBytes, Ascending: q.Ascending, Everything: true, Want: want}, err
}

// eachSlice asks for one slice after the other until take has enough.
func eachSlice(ctx context.Context, b *bus.Bus, ask *relaypb.Scan, take func(*relaypb.ScanReply) (more bool, err error)) error {
	for {
		reply, err := slice(ctx, b, ask)
		if err != nil {
			return err
		}
		more, err := take(reply)
		if err != nil || !more || reply.Done {
			return err
		}
		ask.Cursor = reply.Cursor
		if !ask.Ascending { // else the new version of a replaced event would be left out too
			ask.AsOf = reply.AsOf
		}
	}
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
