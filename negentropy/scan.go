package negentropy

import (
	"encoding/binary"
	"errors"
	"slices"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
)

// sliceBytes is what one slice of a scan is asked to hold of ids.
const sliceBytes = 256 << 10

// itemBytes is an id in a ScanReply: created_at and id.
const itemBytes = 8 + 32

// scan reads the ids of events that match some filters, slice by slice, into a
// tree. It belongs to whoever reads the slice in hand.
type scan struct {
	filters []byte // as they stand in a Scan
	keys    [][]byte
	limit   int    // nostr.NoLimit or how many of the newest are wanted
	expires bool   // whether it matters which events expire
	private uint64 // fingerprint of the kinds that must be left out as private; 0: as the store has it

	set      *tree
	found    int      // events read so far
	expiring []expiry // those of them that expire, if it matters
	cursor   []byte
	asOf     uint64 // of the first slice
	hiding   bool   // the store has events, removed from no log yet, that nobody is sent
	done     bool
}

// request asks for the next slice.
func (s *scan) request() *relaypb.Scan {
	most := sliceBytes
	if s.limit != nostr.NoLimit {
		most = min(most, (s.limit-s.found)*itemBytes)
	}
	return &relaypb.Scan{
		Filters: s.filters, Keys: s.keys, Cursor: s.cursor, AsOf: s.asOf,
		MaxBytes: uint32(most), Want: relaypb.Want_IDS,
	}
}

var errNonsense = errors.New("the store gave an answer that makes no sense")

// errOtherKinds says that the writer goes by other private kinds: one of the two has
// read its changed configuration and the other not yet.
var errOtherKinds = errors.New("the writer has other private_kinds")

// add takes a slice in.
func (s *scan) add(r *relaypb.ScanReply) error {
	if s.private != 0 && r.Private != 0 && s.private != r.Private {
		return errOtherKinds
	}
	if len(r.Ids)%itemBytes != 0 || len(r.Expiring)%expiryBytes != 0 || !r.Done && len(r.Cursor) == 0 {
		return errNonsense
	}
	items := make([]item, 0, len(r.Ids)/itemBytes)
	for at := 0; at < len(r.Ids); at += itemBytes {
		x := item{CreatedAt: int64(binary.BigEndian.Uint64(r.Ids[at:])), ID: nostr.EventID(r.Ids[at+8:])}
		if x.CreatedAt < 0 {
			return errNonsense
		}
		items = append(items, x)
	}
	for at := 0; at < len(r.Expiring); at += expiryBytes {
		i := binary.BigEndian.Uint32(r.Expiring[at:])
		if int64(i) >= int64(len(items)) {
			return errNonsense
		}
		if s.expires {
			s.expiring = append(s.expiring, expiry{int64(binary.BigEndian.Uint64(r.Expiring[at+4:])), items[i]})
		}
	}
	if left := s.limit - s.found; s.limit != nostr.NoLimit && len(items) >= left {
		items = items[:left] // they come newest first
		r.Done = true
	}
	s.found += len(items)
	// From the last to the first, which fills the leaves of the tree.
	slices.SortFunc(items, func(a, b item) int { return b.Compare(a) })
	for _, x := range items {
		s.set.insert(x)
	}
	if s.asOf == 0 {
		s.asOf = r.AsOf
	}
	s.hiding = s.hiding || r.Hiding
	s.cursor, s.done = r.Cursor, r.Done
	return nil
}
