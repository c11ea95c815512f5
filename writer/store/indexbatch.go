package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// indexBatch holds the index keys that a batch sets and deletes. They go to Pebble in
// the order of keys, because a memtable finds the place of a key that follows the one
// before in a fraction of the time, and most of what a commit costs is finding places.
// The zero value is empty.
type indexBatch struct {
	keys []byte
	ops  []indexOp
}

type indexOp struct {
	order    uint64 // what tells most keys apart
	from, to int    // the key, in indexBatch.keys
	end      int    // of the value behind it
	delete   bool
}

func (b *indexBatch) set(key, value []byte) { b.add(key, value, false) }
func (b *indexBatch) delete(key []byte)     { b.add(key, nil, true) }

func (b *indexBatch) add(key, value []byte, delete bool) {
	from := len(b.keys)
	to := from + len(key)
	b.keys = append(append(b.keys, key...), value...)
	var order [8]byte
	copy(order[:], key)
	b.ops = append(b.ops, indexOp{binary.BigEndian.Uint64(order[:]), from, to, len(b.keys), delete})
}

// len is about what the keys add to the batch.
func (b *indexBatch) len() int { return len(b.keys) + 3*len(b.ops) }

// moveTo adds the keys to a batch, and empties b.
func (b *indexBatch) moveTo(batch *pebble.Batch) (err error) {
	slices.SortFunc(b.ops, func(x, y indexOp) int {
		if c := cmp.Compare(x.order, y.order); c != 0 {
			return c
		}
		if c := bytes.Compare(b.keys[x.from:x.to], b.keys[y.from:y.to]); c != 0 {
			return c
		}
		return cmp.Compare(x.from, y.from) // a key may be set and then deleted
	})
	for _, op := range b.ops {
		key := b.keys[op.from:op.to]
		if op.delete {
			err = batch.Delete(key, nil)
		} else {
			err = batch.Set(key, b.keys[op.to:op.end], nil)
		}
		if err != nil {
			return err
		}
	}
	b.reset()
	return nil
}

// reset empties b. The room that a deletion of thousands took is left to the
// collector.
func (b *indexBatch) reset() {
	if cap(b.keys) > maxIndexRoom {
		*b = indexBatch{}
	}
	b.keys, b.ops = b.keys[:0], b.ops[:0]
}

// maxIndexRoom is how many bytes of keys an empty indexBatch keeps room for.
const maxIndexRoom = 1 << 20
