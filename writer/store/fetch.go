package store

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"rhea/proto/nostr"
)

// fetcher reads events by Seq.
type fetcher struct {
	snap  *pebble.Snapshot
	it    *pebble.Iterator // over the log, opened when it is first needed
	order []*candidate
	hot   *hotEvents
	key   []byte
}

// fetch gives what the log holds of each candidate of a batch to use, which must not
// keep it: first of those that are hot, then of the others. It goes through the log in
// the order of Seqs, because a step forward to a block near by is much cheaper than a
// step back.
func (f *fetcher) fetch(batch []candidate, use func(*candidate, logValue) error) error {
	f.order = f.order[:0]
	for i := range batch {
		c := &batch[i]
		e := f.hot.get(c.seq)
		if e == nil {
			f.order = append(f.order, c)
		} else if err := use(c, logValue{header: e.header, json: e.json}); err != nil {
			return fmt.Errorf("log entry %d: %w", c.seq, err)
		}
	}
	slices.SortFunc(f.order, func(a, b *candidate) int { return cmp.Compare(a.seq, b.seq) })
	if f.it == nil && len(f.order) > 2 {
		it, err := f.snap.NewIter(within(spaceLog))
		if err != nil {
			return err
		}
		f.it = it
	}
	for _, c := range f.order {
		if err := f.read(c, use); err != nil {
			return fmt.Errorf("an index leads to log entry %d: %w", c.seq, err)
		}
	}
	return nil
}

func (f *fetcher) read(c *candidate, use func(*candidate, logValue) error) (err error) {
	f.key = appendSeqKey(f.key[:0], spaceLog, c.seq)
	var value []byte
	switch {
	case f.it == nil: // for one or two events an iterator does not pay
		var closer io.Closer
		if value, closer, err = f.snap.Get(f.key); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closer.Close()) }()
	case f.it.SeekGE(f.key) && bytes.Equal(f.it.Key(), f.key):
		if value, err = f.it.ValueAndErr(); err != nil {
			return err
		}
	default:
		return cmp.Or(f.it.Error(), pebble.ErrNotFound)
	}
	v, err := decodeLogValue(value)
	if err != nil {
		return err
	}
	if len(v.header) == 0 {
		return errors.New("it holds no event")
	}
	return use(c, v)
}

// keep returns the JSON of an event in memory that outlives the iterator, and which
// nobody changes.
func (f *fetcher) keep(c *candidate, v logValue) (json []byte, err error) {
	if v.json != nil {
		return v.json, nil
	}
	room := append(make([]byte, 0, len(v.header)+v.jsonLen()), v.header...)
	if room, err = v.appendJSON(room); err != nil {
		return nil, err
	}
	header := len(v.header)
	e := &hotEvent{seq: c.seq, header: nostr.Header(room[:header:header]), json: room[header:]}
	f.hot.put(e)
	return e.json, nil
}

func (f *fetcher) close() error {
	if f.it == nil {
		return nil
	}
	return f.it.Close()
}
