package store

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"rhea/proto/nostr"
	"rhea/proto/subject"
)

// fetcher reads events by Seq.
type fetcher struct {
	snap  *pebble.Snapshot
	it    *pebble.Iterator // over the log, opened when it is first needed
	order []*candidate
	slab  []byte // JSON that goes out is cut from here
	key   []byte
}

// slabBytes is how much memory for JSON is taken at once.
const slabBytes = 32 << 10

// fetch reads the events of a batch: the ids, which filters match, and, where
// one does, the JSON. It goes through the log in the order of Seqs, because a
// step forward to a block near by is much cheaper than a step back.
func (f *fetcher) fetch(batch []candidate, match func(filter int, h nostr.Header) bool) error {
	f.order = f.order[:0]
	for i := range batch {
		f.order = append(f.order, &batch[i])
	}
	slices.SortFunc(f.order, func(a, b *candidate) int { return cmp.Compare(a.seq, b.seq) })
	if f.it == nil {
		it, err := f.snap.NewIter(within(spaceLog))
		if err != nil {
			return err
		}
		f.it = it
	}
	for _, c := range f.order {
		f.key = appendSeqKey(f.key[:0], spaceLog, c.seq)
		if !f.it.SeekGE(f.key) || subject.Seq(binary.BigEndian.Uint64(f.it.Key()[1:])) != c.seq {
			return errors.Join(f.it.Error(), fmt.Errorf("an index names log entry %d, which is not there", c.seq))
		}
		v, err := decodeLogValue(f.it.Value())
		if err != nil || len(v.header) == 0 {
			return fmt.Errorf("an index names log entry %d, which holds no event: %w", c.seq, err)
		}
		c.id = v.header.ID()
		c.filters = slices.DeleteFunc(c.filters, func(filter int) bool { return !match(filter, v.header) })
		if len(c.filters) > 0 {
			c.json = f.keep(v.json)
		}
	}
	return nil
}

// keep copies JSON into memory that outlives the iterator.
func (f *fetcher) keep(json []byte) []byte {
	if len(json) > cap(f.slab)-len(f.slab) {
		f.slab = make([]byte, 0, max(slabBytes, len(json)))
	}
	from := len(f.slab)
	f.slab = append(f.slab, json...)
	return f.slab[from:len(f.slab):len(f.slab)]
}

func (f *fetcher) close() error {
	if f.it == nil {
		return nil
	}
	return f.it.Close()
}
