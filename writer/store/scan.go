package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/subject"
)

// ScanRequest asks for one slice of a query.
type ScanRequest struct {
	// Filters are those of one REQ, sorted as nostr.ParseFilter and Filter.Sort
	// leave them. Limits are per filter and obeyed as they stand.
	Filters []nostr.Filter
	// Cursor is where the slice before ended; empty for the first.
	Cursor []byte
	// AsOf is the Seq that the first slice was served at; 0 is the view's.
	AsOf subject.Seq
	// Ascending asks for the exact reverse order; limits then count from the
	// oldest event on.
	Ascending bool

	// A slice ends, and its cursor tells where, when it has this many bytes of
	// events (0: 256 KiB; one event may go beyond it), when it has looked at this
	// many events (0: 20,000), or after this long (0: 50 ms), but not before it has
	// read for as long as it looked up the values of its filters, which every slice
	// does anew. Each is checked so that every slice gets on.
	MaxBytes int
	MaxRows  int
	MaxTime  time.Duration
}

// ScanResult is one slice.
type ScanResult struct {
	AsOf   subject.Seq
	Events [][]byte // JSON, in memory of their own, in NIP-01 order or its reverse
	Cursor []byte   // empty when done
	Done   bool
}

const (
	defaultScanBytes = 256 << 10
	defaultScanRows  = 20_000
	defaultScanTime  = 50 * time.Millisecond
)

// maxBatch is how many candidates are read at once.
const maxBatch = 64

// ErrBehind says that a query began on a later view than this one.
var ErrBehind = errors.New("scan: this view is older than the query")

// Scan returns the next slice of a query: the events that match any of the
// filters, by created_at descending and then id ascending (NIP-01), each once,
// none with a Seq behind AsOf. The slices of a query together hold exactly what
// one scan at AsOf would have returned, less what has left the store since.
//
// The errors are ErrCursor, ErrBehind, and those of a damaged store.
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
	v     *View
	req   *ScanRequest
	cur   cursor
	exact []bool // by filter: every candidate matches
	merge merger
	fetch fetcher
	res   ScanResult
	bytes int
	rows  int // candidates dealt with
}

func (v *View) newQuery(req *ScanRequest) (*query, error) {
	q := &query{v: v, req: req}
	if req.AsOf == 0 {
		req.AsOf = v.seq
	}
	if req.AsOf > v.seq {
		return nil, ErrBehind
	}
	q.res.AsOf = req.AsOf
	if req.MaxBytes <= 0 {
		req.MaxBytes = defaultScanBytes
	}
	if req.MaxRows <= 0 {
		req.MaxRows = defaultScanRows
	}
	if req.MaxTime <= 0 {
		req.MaxTime = defaultScanTime
	}
	if len(req.Cursor) > 0 {
		var err error
		if q.cur, err = decodeCursor(req.Cursor, len(req.Filters), req.Ascending); err != nil {
			return nil, err
		}
	} else {
		q.cur.ascending = req.Ascending
		for i := range req.Filters {
			q.cur.limits = append(q.cur.limits, max(req.Filters[i].Limit, nostr.NoLimit))
		}
	}
	q.fetch.snap = v.snap
	q.merge.reader.ascending = req.Ascending
	q.merge.open = func(filter int) bool { return q.cur.limits[filter] != 0 }
	return q, nil
}

func (q *query) close() (err error) {
	if q.merge.reader.it != nil {
		err = q.merge.reader.it.Close()
	}
	return errors.Join(err, q.fetch.close())
}

// run serves the slice.
func (q *query) run() error {
	now := q.v.s.opt.Now
	start := now()
	sources, err := q.sources()
	if err != nil {
		return err
	}
	if err := q.merge.start(sources); err != nil {
		return err
	}
	// Thousands of values take as long to look up as a slice may, with 100,000 events
	// 25 ms of CPU for 10,000 ids and 20 ms for 10,000 e tag values, and cannot be
	// spread over slices, since any of them may lead to the newest event. A slice
	// that ended right after would return 64 events and leave the next to look all
	// up again. So, unless its bytes end it, a slice reads for as long as it looked
	// up: it takes twice as long as that at the most, and half of it is progress.
	// limits.MaxFilterValues bounds the look-ups.
	limit := max(q.req.MaxTime, 2*now().Sub(start))
	for size := q.wanted(); ; size = min(2*size, maxBatch) {
		n := size
		if !slices.Contains(q.exact, false) {
			n = min(n, q.wanted())
		}
		batch, err := q.merge.gather(n)
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			q.res.Done = true
			return nil
		}
		if err := q.fetch.fetch(batch, q.match); err != nil {
			return err
		}
		q.settle(batch)
		if !q.emit(batch) {
			break
		}
		if len(q.merge.heap) == 0 {
			q.res.Done = true
			return nil
		}
		// A slice that saw only the position it began at would not get on.
		if q.rows > 0 && (q.rows >= q.req.MaxRows || now().Sub(start) >= limit) {
			break
		}
	}
	if q.wanted() == 0 {
		q.res.Done = true
		return nil
	}
	q.res.Cursor = q.cur.encode()
	return nil
}

// wanted is how many events may still come, maxBatch at most: nobody reads 64
// events to return one.
func (q *query) wanted() int {
	sum := 0
	for _, n := range q.cur.limits {
		if n < 0 || sum+n > maxBatch {
			return maxBatch
		}
		sum += n
	}
	return sum
}

func (q *query) match(filter int, h nostr.Header) bool {
	return q.exact[filter] || q.req.Filters[filter].Match(h)
}

// settle brings tied candidates into the order of their full ids.
func (q *query) settle(batch []candidate) {
	for from := 0; from < len(batch); {
		to := from + 1
		for to < len(batch) && batch[to].tied(batch[from].suffix) {
			to++
		}
		if to-from > 1 {
			slices.SortFunc(batch[from:to], func(a, b candidate) int {
				if q.req.Ascending {
					a, b = b, a
				}
				return a.id.Compare(b.id)
			})
		}
		from = to
	}
}

// emit returns what of a batch is to be returned, and reports whether the slice
// has room for more.
func (q *query) emit(batch []candidate) bool {
	for i := range batch {
		c := &batch[i]
		if q.passed(c) {
			continue
		}
		q.rows++
		hit := false
		for _, filter := range c.filters {
			hit = hit || q.cur.limits[filter] != 0
		}
		if hit = hit && c.seq <= q.req.AsOf; hit {
			if len(q.res.Events) > 0 && q.bytes+len(c.json) > q.req.MaxBytes {
				return false
			}
			q.bytes += len(c.json)
			q.res.Events = append(q.res.Events, c.json)
			for _, filter := range c.filters {
				if q.cur.limits[filter] > 0 {
					q.cur.limits[filter]--
				}
			}
		}
		q.cur.started, q.cur.pos = true, position{c.createdAt(), c.id}
	}
	return true
}

// passed reports whether the query is beyond a candidate already, which can only
// be one that is tied with its position.
func (q *query) passed(c *candidate) bool {
	p := &q.cur.pos
	if !q.cur.started || c.createdAt() != p.createdAt {
		return false
	}
	if q.req.Ascending {
		return c.id.Compare(p.id) >= 0
	}
	return c.id.Compare(p.id) <= 0
}

// sources makes the sources of every filter that can still yield something.
func (q *query) sources() (_ []source, err error) {
	var sources []source
	q.exact = slices.Repeat([]bool{true}, len(q.req.Filters))
	var prefixes []byte
	for i := range q.req.Filters {
		f := &q.req.Filters[i]
		w := windowOf(f)
		if q.cur.started {
			w = w.after(q.cur.pos, q.req.Ascending)
		}
		if q.cur.limits[i] == 0 || f.Impossible() || w.empty() {
			continue
		}
		a := choose(f)
		q.exact[i] = a.exact
		if a.index == spaceID {
			found, err := q.find(f.IDs, w)
			if err != nil {
				return nil, err
			}
			if len(found) > 0 {
				sources = append(sources, source{filter: i, buf: found, dry: true})
			}
			continue
		}
		a.eachPrefix(f, func(prefix []byte) {
			from := len(prefixes)
			prefixes = append(prefixes, prefix...)
			sources = append(sources, source{filter: i, prefix: prefixes[from:len(prefixes):len(prefixes)], window: w, ahead: minAhead})
		})
	}
	if slices.ContainsFunc(sources, func(s source) bool { return !s.dry }) {
		err = q.openReader(sources)
	}
	return sources, err
}

// openReader prepares what the sources share.
func (q *query) openReader(sources []source) (err error) {
	if len(sources) == 1 {
		sources[0].ahead = max(minAhead, q.wanted())
	}
	// Room for the first read of each source, in one piece.
	room := make([]suffix, len(sources)*minAhead)
	for i := range sources {
		if s := &sources[i]; !s.dry {
			s.buf = room[i*minAhead : i*minAhead : (i+1)*minAhead]
		}
	}
	q.merge.reader.it, err = q.v.snap.NewIter(nil)
	return err
}

// find looks events up by id. The result is in the order of the query.
func (q *query) find(ids []nostr.EventID, w window) ([]suffix, error) {
	var found []suffix
	for _, id := range ids {
		p, err := q.v.place(id)
		if err != nil {
			return nil, err
		}
		s := suffix{invert(p.createdAt), binary.BigEndian.Uint64(id[:8]), p.seq}
		if p.seq != 0 && s.compare(w.lo) >= 0 && s.compare(w.hi) <= 0 {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, suffix.compare)
	if q.req.Ascending {
		slices.Reverse(found)
	}
	return found, nil
}
