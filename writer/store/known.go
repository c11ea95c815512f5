package store

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"rhea/proto/nostr"
)

// known tells of most ids, and public keys, that nothing is stored about that it is so.
// Pebble's own filters do so too, but for each table and memtable of its own, which is
// five times the work of all else that is decided about an event. What is stored is read
// in the background, when the store is opened and again when much of it has gone. may,
// add and trim belong to the goroutine that commits. The zero value is not opened:
// nothing is ever certain.
type known struct {
	db     *pebble.DB
	where  []idsIn
	failed func(error)

	since idFilter                 // what was added after the last reading began
	read  atomic.Pointer[idFilter] // what was there then, nil until it has been read
	past  []*idFilter              // what had been known before; until read is there

	stop atomic.Bool
	done sync.WaitGroup
}

// idsIn are keys in which an id, or a public key, stands from an offset on.
type idsIn struct {
	keys *pebble.IterOptions
	at   int
}

// open begins to read the ids in some keys. Close ends it.
func (k *known) open(db *pebble.DB, failed func(error), where ...idsIn) {
	k.db, k.failed, k.where = db, failed, where
	k.begin()
}

// begin reads what is stored now. Nothing may be added that Pebble does not have yet.
func (k *known) begin() {
	snap := k.db.NewSnapshot()
	k.done.Go(func() {
		ids := new(idFilter)
		var err error
		for _, in := range k.where {
			err = errors.Join(err, k.readIn(snap, in, ids))
		}
		if err := errors.Join(err, snap.Close()); err != nil {
			k.failed(err)
			return
		}
		if !k.stop.Load() {
			k.read.Store(ids)
		}
	})
}

func (k *known) readIn(snap *pebble.Snapshot, in idsIn, to *idFilter) error {
	it, err := snap.NewIter(in.keys)
	if err != nil {
		return err
	}
	for ok := it.First(); ok && !k.stop.Load(); ok = it.Next() {
		if key := it.Key(); len(key) >= in.at+len(nostr.EventID{}) {
			to.add(nostr.EventID(key[in.at : in.at+len(nostr.EventID{})]))
		}
	}
	return errors.Join(it.Error(), it.Close())
}

// trim begins to read again what is stored, if more ids are held than most, as those of
// what was removed stay until then. What was known is known meanwhile. It must be called
// between two batches: what was added must be in Pebble.
func (k *known) trim(most int) {
	read := k.read.Load()
	if read == nil || k.since.ids+read.ids <= most {
		return
	}
	since := k.since
	k.past, k.since = []*idFilter{&since, read}, idFilter{}
	k.read.Store(nil)
	k.begin()
}

// close waits for what open, or trim, began.
func (k *known) close() {
	k.stop.Store(true)
	k.done.Wait()
}

func (k *known) add(id nostr.EventID) {
	if !k.since.may(id) { // else it is a public key again
		k.since.add(id)
	}
}

// may reports whether there may be something about this id; false is certain.
func (k *known) may(id nostr.EventID) bool {
	if k.since.may(id) {
		return true
	}
	if read := k.read.Load(); read != nil {
		k.past = nil
		return read.may(id)
	}
	return k.past == nil || slices.ContainsFunc(k.past, func(f *idFilter) bool { return f.may(id) })
}

// idFilter is a Bloom filter of any number of ids, which are their own hashes (what has
// been made up for an id, so that it looks like others, costs look-ups only). It is
// made of parts of 64 thousand ids and then twice as many each, up to 4 million, so
// that it costs 2 to 4 bytes an id and a few cache misses a look-up. Of ids that it
// does not have some seem to be there: 0.8 % when it has 8 million, and more with each
// part, 1.5 % at 32 million. Nothing leaves it.
type idFilter struct {
	parts [][]idBlock
	room  int // of the last part, in ids
	ids   int // that were added
}

type idBlock [8]uint64 // a cache line

const (
	firstPart   = 1 << 11 // blocks
	largestPart = 1 << 17
	idsPerBlock = 32
	idProbes    = 6 // bits set for an id, all in one block
)

func (f *idFilter) add(id nostr.EventID) {
	if f.room == 0 {
		blocks := firstPart
		if n := len(f.parts); n > 0 {
			blocks = min(2*len(f.parts[n-1]), largestPart)
		}
		f.parts, f.room = append(f.parts, make([]idBlock, blocks)), blocks*idsPerBlock
	}
	f.room--
	f.ids++
	part := f.parts[len(f.parts)-1]
	b := &part[blockOf(id, part)]
	bits := binary.BigEndian.Uint64(id[8:])
	for range idProbes {
		b[bits>>6&7] |= 1 << (bits & 63)
		bits >>= 9
	}
}

func (f *idFilter) may(id nostr.EventID) bool {
next:
	for _, part := range f.parts {
		b := &part[blockOf(id, part)]
		bits := binary.BigEndian.Uint64(id[8:])
		for range idProbes {
			if b[bits>>6&7]&(1<<(bits&63)) == 0 {
				continue next
			}
			bits >>= 9
		}
		return true
	}
	return false
}

// blockOf is where in a part an id belongs; the lengths of parts are powers of two.
func blockOf(id nostr.EventID, part []idBlock) uint64 {
	return binary.BigEndian.Uint64(id[:]) & uint64(len(part)-1)
}
