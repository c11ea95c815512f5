package store

import (
	"errors"
	"fmt"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// ScanRequest asks for one slice of a query.
type ScanRequest struct {
	// Filters are those of one REQ, sorted as nostr.ParseFilter and Filter.Sort
	// leave them. Limits are per filter and obeyed as they stand.
	Filters []nostr.Filter
	// Want is what to return of the events that are found. Ids and counts know no
	// limits.
	Want relaypb.Want
	// Cursor is where the slice before ended; empty for the first.
	Cursor []byte
	// AsOf is the Seq that the first slice was served at; 0 is the view's.
	AsOf subject.Seq
	// Ascending asks for the exact reverse order; limits then count from the
	// oldest event on.
	Ascending bool

	// Access is what the reader may be sent, and Now the time in Unix seconds at
	// which what has expired (NIP-40) is not found any more. Everything switches
	// both off.
	Access     nostr.Access
	Now        int64
	Everything bool
	// Capped lists the filters, by index, that also return the rest of the second in
	// which their limit ends, up to twice the limit (NIP-67).
	Capped []int
	// HLLOffset, 8 to 23, asks a count for HyperLogLog registers (NIP-45); 0 does
	// not.
	HLLOffset int

	// A slice ends, and its cursor tells where, when it has this many bytes of
	// events or ids (0: 256 KiB; one event may go beyond it), when it has looked at
	// this many events (0: 20,000, but any number for ids and counts), or after this
	// long (0: 50 ms), but not before it has read for as long as it looked up the
	// values of its filters, which every slice does anew. Each is checked so that
	// every slice gets on.
	MaxBytes int
	MaxRows  int
	MaxTime  time.Duration
}

// ScanResult is one slice.
type ScanResult struct {
	AsOf   subject.Seq
	Events [][]byte // JSON, in memory of their own, in NIP-01 order or its reverse
	IDs    []byte   // IDLen bytes for each event, in the same order
	// Expiring lists the events among IDs that expire (NIP-40): the index, 4 bytes big
	// endian, and the expiration in Unix seconds, 8 bytes.
	Expiring []byte
	Count    uint64 // how many events this slice has counted
	// Registers are those of the events counted in this slice; nil unless asked for.
	Registers *nostr.Registers
	Cursor    []byte // empty when done
	Done      bool
	// Hiding says that events are hidden whose removal is still to come.
	Hiding bool
	// Completeness says, when Done, whether all slices together hold every event
	// that matches and that the reader may see (NIP-67). It is not for ids and
	// counts.
	Completeness relaypb.Completeness
}

const (
	defaultScanBytes = 256 << 10
	defaultScanRows  = 20_000
	defaultScanTime  = 50 * time.Millisecond
)

// ErrBehind says that a query began on a later view than this one.
var ErrBehind = errors.New("scan: this view is older than the query")

// ErrRequest says that a request makes no sense: it wants something unknown, or
// HyperLogLog registers with an offset that NIP-45 does not know.
var ErrRequest = errors.New("scan: this writer does not know what is wanted")

// Scan returns the next slice of a query: the events that match any of the
// filters and that the reader may see, by created_at descending and then id
// ascending (NIP-01), each once, none with a Seq behind AsOf. The slices of a query
// together hold exactly what one scan at AsOf would have returned, less what has
// left the store or expired since.
//
// The errors are ErrCursor, ErrBehind, ErrRequest, and those of a damaged store.
func (v *View) Scan(req ScanRequest) (ScanResult, error) {
	q, err := v.newQuery(&req)
	if err != nil {
		return ScanResult{}, err
	}
	if err := errors.Join(q.run(), q.close()); err != nil {
		return ScanResult{}, fmt.Errorf("scan: %w", err)
	}
	return q.res, nil
}

// query is a slice in work.
type query struct {
	v      *View
	req    *ScanRequest
	cur    cursor
	exact  []bool // by filter: every candidate matches
	near   []bool // by filter: but for few, every candidate matches
	merge  merger
	fetch  fetcher
	count  counter
	res    ScanResult
	bytes  int
	rows   int // candidates dealt with
	looked int // candidates read only for filters whose limit is used up
}

func (v *View) newQuery(req *ScanRequest) (*query, error) {
	q := &query{v: v, req: req}
	if req.AsOf == 0 {
		req.AsOf = v.seq
	}
	if req.AsOf > v.seq {
		return nil, ErrBehind
	}
	if req.Want < relaypb.Want_EVENTS || req.Want > relaypb.Want_IDS || req.HLLOffset != 0 && (req.HLLOffset < 8 || req.HLLOffset > 23) {
		return nil, ErrRequest
	}
	q.res.AsOf, q.res.Hiding = req.AsOf, v.hides()
	if req.MaxBytes <= 0 {
		req.MaxBytes = defaultScanBytes
	}
	if req.MaxRows <= 0 && req.Want == relaypb.Want_EVENTS {
		req.MaxRows = defaultScanRows
	}
	if req.MaxTime <= 0 {
		req.MaxTime = defaultScanTime
	}
	if len(req.Cursor) > 0 {
		var err error
		if q.cur, err = decodeCursor(req); err != nil {
			return nil, err
		}
	} else {
		q.cur.ascending, q.cur.want = req.Ascending, req.Want
		q.cur.quotas, q.cur.unsure = firstQuotas(req)
	}
	q.fetch.snap, q.fetch.hot = v.snap, v.s.hot
	q.merge.reader.ascending, q.merge.reader.newest, q.merge.reader.seq = req.Ascending, v.s.newest, v.seq
	q.merge.open = func(filter int) bool { return filter == len(q.cur.quotas) || q.cur.quotas[filter].phase != ended }
	return q, nil
}

func (q *query) close() (err error) {
	if q.merge.reader.it != nil {
		err = q.merge.reader.it.Close()
	}
	return errors.Join(err, q.fetch.close(), q.closeCount())
}

// visible reports whether the reader may be told that an event exists.
func (q *query) visible(h nostr.Header) bool {
	if q.v.hides() && q.v.hidden(h) {
		return false
	}
	return q.req.Everything || !h.Expired(q.req.Now) && q.req.Access.Allows(h)
}

// run serves the slice.
func (q *query) run() error {
	now := q.v.s.opt.Now
	start := now()
	if err := q.openCount(); err != nil {
		return err
	}
	sources, err := q.sources()
	if err != nil {
		return err
	}
	if err := q.merge.start(sources); err != nil {
		return err
	}
	// Thousands of values take as long to look up as a slice may, with 100,000 events
	// 10 ms of CPU for 10,000 ids and 20 ms for 10,000 e tag values, and cannot be
	// spread over slices, since any of them may lead to the newest event. A slice
	// that ended right after would return 64 events and leave the next to look all
	// up again. So, unless its bytes end it, a slice reads for as long as it looked
	// up: it takes twice as long as that at the most, and half of it is progress.
	// limits.MaxFilterValues bounds the look-ups.
	limit := max(q.req.MaxTime, 2*now().Sub(start))
	deal, size := q.events, q.firstBatch()
	switch q.req.Want {
	case relaypb.Want_IDS:
		deal = q.ids
	case relaypb.Want_COUNT:
		deal = q.counts
	}
	for ; ; size = q.nextBatch(size) {
		batch, err := q.merge.gather(q.batch(size))
		if err != nil {
			return err
		}
		if len(batch) > 0 {
			room, err := deal(batch)
			if err != nil {
				return err
			}
			if !room {
				return q.pause()
			}
		}
		if len(q.merge.heap) == 0 {
			break // and done
		}
		// A slice that saw only the position it began at would not get on.
		late := q.rows > 0 && (q.req.MaxRows > 0 && q.rows >= q.req.MaxRows || now().Sub(start) >= limit)
		if !q.cur.yields() {
			if late || q.looked >= min(max(minLook, q.rows-q.looked), maxLook) {
				q.cur.giveUp()
				break
			}
		} else if late {
			return q.pause()
		}
	}
	q.res.Done, q.res.Completeness = true, q.cur.completeness()
	return nil
}

// pause ends the slice with the query unfinished.
func (q *query) pause() error {
	q.res.Cursor = q.cur.encode()
	return nil
}
