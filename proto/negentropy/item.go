package negentropy

import (
	"bytes"
	"cmp"
	"math"

	"rhea/proto/nostr"
)

// Item is one event of a set: what NIP-77 calls a record.
type Item struct {
	CreatedAt int64 // Unix seconds, not negative
	ID        nostr.EventID
}

// Compare orders items as the protocol does: by time, then by id.
func (i Item) Compare(other Item) int {
	if c := cmp.Compare(i.CreatedAt, other.CreatedAt); c != 0 {
		return c
	}
	return i.ID.Compare(other.ID)
}

// Before reports whether i belongs to a range that ends at b.
func (i Item) Before(b Bound) bool {
	if t := uint64(i.CreatedAt); t != b.time {
		return t < b.time
	}
	return bytes.Compare(i.ID[:], b.id[:]) < 0
}

// Bound is where one range ends, exclusively, and the next begins: a time and
// the first bytes of an id, the rest of which is zero. The zero value is the
// beginning of everything.
type Bound struct {
	time   uint64 // infinity: no item has it
	id     nostr.EventID
	prefix uint8 // how many bytes of id are sent, 0 to 32
}

const infinity = math.MaxUint64

// Infinity is the bound after every item.
func Infinity() Bound { return Bound{time: infinity} }

// At is the bound before the first item of a time in Unix seconds, and after
// every item that is older. Times before 0 are 0.
func At(createdAt int64) Bound { return Bound{time: uint64(max(createdAt, 0))} }

// Just is the bound right before an item.
func Just(i Item) Bound {
	return Bound{time: uint64(i.CreatedAt), id: i.ID, prefix: uint8(len(i.ID))}
}

// between is the shortest bound that separates two neighbours.
func between(prev, next Item) Bound {
	b := Bound{time: uint64(next.CreatedAt)}
	if prev.CreatedAt != next.CreatedAt {
		return b
	}
	n := 0
	for n < len(next.ID)-1 && prev.ID[n] == next.ID[n] {
		n++
	}
	b.prefix = uint8(n + 1)
	copy(b.id[:], next.ID[:b.prefix])
	return b
}

// less reports whether b lies before other.
func (b Bound) less(other Bound) bool {
	if b.time != other.time {
		return b.time < other.time
	}
	return bytes.Compare(b.id[:], other.id[:]) < 0
}
