package monitor

import (
	"hash/maphash"
	"unsafe"

	"rhea/proto/nostr"
)

// term is a value that filters ask for or that readers have, kept once: an id, an
// author, a value of a tag of one name, a key. Everything else names it by its ref,
// so that an author who is in a thousand feeds takes four bytes in each, and
// matching compares numbers. The bytes of the value follow the record.
type term struct {
	link
	refs     uint32 // places that name it; it goes with the last one
	what     uint32
	postings list[posting] // of the filters that the index has under it
}

// The parts of term.what: a space, whether the value is a packed one, its length.
const (
	spaceShift = 26
	packedBit  = 1 << 25
	lengthMask = packedBit - 1
)

const termWords = int(unsafe.Sizeof(term{})) / wordBytes

// space says what a term is a value of.
type space uint32

const (
	ids space = iota
	authors
	readers
	firstTag // of the name A; the others follow in the order of ASCII
	spaces   = int(firstTag) + 'z' - 'A' + 1
)

func tagSpace(name byte) space { return firstTag + space(name-'A') }

// terms is the dictionary of terms.
type terms struct {
	arena *arena
	table table
	seed  maphash.Seed // so that nobody can choose values that share a hash
	used  [spaces]int  // how many there are of each space
}

// find returns the term of a value, 0 if nobody has asked for it.
func (d *terms) find(s space, value []byte, packed bool) ref {
	if d.used[s] == 0 {
		return 0
	}
	what, hash := d.call(s, value, packed)
	return d.lookup(what, hash, value)
}

// intern returns the term of a value, and counts a place more that names it.
func (d *terms) intern(s space, value []byte, packed bool) ref {
	what, hash := d.call(s, value, packed)
	if r := d.lookup(what, hash, value); r != 0 {
		view[term](d.arena, r).refs++
		return r
	}
	r := d.arena.alloc(termWords + (len(value)+wordBytes-1)/wordBytes)
	t := view[term](d.arena, r)
	t.refs, t.what = 1, what
	copy(t.value(), value)
	d.table.insert(r, hash)
	d.used[s]++
	return r
}

// release counts a place less.
func (d *terms) release(r ref) {
	t := view[term](d.arena, r)
	if t.refs--; t.refs == 0 {
		d.used[t.what>>spaceShift]--
		d.table.remove(r)
		d.arena.release(r)
	}
}

func (d *terms) lookup(what, hash uint32, value []byte) ref {
	for r := d.table.first(hash); r != 0; {
		t := view[term](d.arena, r)
		if t.hash == hash && t.what == what && string(t.value()) == string(value) {
			return r
		}
		r = t.next
	}
	return 0
}

func (d *terms) call(s space, value []byte, packed bool) (what, hash uint32) {
	what = uint32(s)<<spaceShift | uint32(len(value))
	if packed {
		what |= packedBit
	}
	sum := maphash.Bytes(d.seed, value)
	return what, uint32(sum>>32) ^ what*0x9e3779b1
}

// value returns the bytes of the value, which must not be written.
func (t *term) value() []byte {
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(t), unsafe.Sizeof(*t))), t.what&lengthMask)
}

// tagValue returns a copy of the value as filters have it.
func (t *term) tagValue() nostr.TagValue {
	if t.what&packedBit != 0 {
		return nostr.PackedTagValue([32]byte(t.value()))
	}
	return nostr.NewTagValue(string(t.value()))
}
