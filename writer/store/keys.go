package store

import (
	"crypto/sha256"
	"encoding/binary"

	"rhea/proto/nostr"
	"rhea/proto/subject"
)

// The first byte of a key names its keyspace; see the table in the package
// documentation.
const (
	spaceAll        byte = 'a'
	spaceEphemeral  byte = 'e'
	spaceID         byte = 'i'
	spaceKind       byte = 'k'
	spaceLog        byte = 'l'
	spaceMeta       byte = 'm'
	spaceAuthor     byte = 'p'
	spaceAuthorKind byte = 'q'
	spaceHead       byte = 'r'
	spaceTag        byte = 't'
	spaceVanish     byte = 'v'
	spaceVanishing  byte = 'w'
	spaceExpiration byte = 'x'
	spaceDeletion   byte = 'd'

	// Reserved, so that a later build's store is not taken for a damaged one.
	spaceTagKind byte = 'u' // (tag name, value, kind), if it pays
)

// The second byte of a key in spaceDeletion: the name of the tag that asked.
const (
	deletedID      byte = 'e'
	deletedAddress byte = 'a'
)

// ordered lists the keyspaces whose keys end in a suffix.
const ordered = string(spaceAll) + string(spaceAuthor) + string(spaceKind) +
	string(spaceAuthorKind) + string(spaceTag)

// suffixLen is the length of what every key of an ordered index ends in: the
// complement of created_at, the first 8 bytes of the id, and the Seq, each big
// endian. Bytewise order is thus created_at descending, then id ascending.
const suffixLen = 24

// suffix is the end of an ordered index key, as numbers.
type suffix struct {
	inv uint64 // ^created_at
	id8 uint64
	seq subject.Seq
}

func suffixOf(h nostr.Header, seq subject.Seq) suffix {
	id := h.ID()
	return suffix{invert(h.CreatedAt()), binary.BigEndian.Uint64(id[:8]), seq}
}

// invert maps created_at to what stands in keys; it is its own inverse.
func invert(at int64) uint64 { return ^uint64(at) }

func (s suffix) createdAt() int64 { return int64(^s.inv) }

// compare is the order of keys, which is that of NIP-01 but for the last word:
// events that share created_at and 8 bytes of id stand in the order of their
// Seqs, and whoever reads must look at their full ids.
func (s suffix) compare(o suffix) int {
	switch {
	case s.inv != o.inv:
		return less(s.inv < o.inv)
	case s.id8 != o.id8:
		return less(s.id8 < o.id8)
	case s.seq != o.seq:
		return less(s.seq < o.seq)
	}
	return 0
}

func less(b bool) int {
	if b {
		return -1
	}
	return 1
}

// tied reports whether the keys do not say which of the two comes first.
func (s suffix) tied(o suffix) bool { return s.inv == o.inv && s.id8 == o.id8 }

func (s suffix) appendTo(key []byte) []byte {
	key = binary.BigEndian.AppendUint64(key, s.inv)
	key = binary.BigEndian.AppendUint64(key, s.id8)
	return binary.BigEndian.AppendUint64(key, uint64(s.seq))
}

// parseSuffix reads the last suffixLen bytes of a key, which must have as many.
func parseSuffix(key []byte) suffix {
	b := key[len(key)-suffixLen:]
	return suffix{
		inv: binary.BigEndian.Uint64(b),
		id8: binary.BigEndian.Uint64(b[8:]),
		seq: subject.Seq(binary.BigEndian.Uint64(b[16:])),
	}
}

const seqKeyLen = 1 + 8

func appendSeqKey(dst []byte, space byte, seq subject.Seq) []byte {
	return binary.BigEndian.AppendUint64(append(dst, space), uint64(seq))
}

func appendIDKey(dst []byte, id nostr.EventID) []byte {
	return append(append(dst, spaceID), id[:]...)
}

// appendHeadKey appends the key of the address of a replaceable or addressable
// event: (pubkey, kind), and the d value for an addressable one.
func appendHeadKey(dst []byte, h nostr.Header) []byte {
	return appendAddress(dst, h.PubKey(), h.Kind(), h.D())
}

func appendAddress(dst []byte, pk nostr.PubKey, k nostr.Kind, d nostr.TagValue) []byte {
	dst = appendAuthorKind(dst, spaceHead, pk, k)
	if k.IsAddressable() {
		dst = appendTagValue(dst, d)
	}
	return dst
}

func appendAuthor(dst []byte, pk nostr.PubKey) []byte {
	return append(append(dst, spaceAuthor), pk[:]...)
}

func appendKind(dst []byte, k nostr.Kind) []byte {
	return binary.BigEndian.AppendUint16(append(dst, spaceKind), uint16(k))
}

func appendAuthorKind(dst []byte, space byte, pk nostr.PubKey, k nostr.Kind) []byte {
	return binary.BigEndian.AppendUint16(append(append(dst, space), pk[:]...), uint16(k))
}

func appendTag(dst []byte, name byte, v nostr.TagValue) []byte {
	return appendTagValue(append(dst, spaceTag, name), v)
}

// The form of a tag value in a key: one byte that says how it is written, then
// the value. It is self-delimiting, and one value has one form only.
const (
	maxRawTag     = 32   // 0..32 is the length of a value that stands as it is
	tagPacked     = 0xfe // 32 bytes of a value of 64 lowercase hex digits
	tagHashed     = 0xff // SHA-256 of any other value longer than maxRawTag
	maxTagInIndex = 1 + 32
)

func appendTagValue(dst []byte, v nostr.TagValue) []byte {
	if b, packed := v.Packed(); packed {
		return append(append(dst, tagPacked), b...)
	}
	raw := v.Raw()
	if len(raw) <= maxRawTag {
		return append(append(dst, byte(len(raw))), raw...)
	}
	sum := sha256.Sum256(raw)
	return append(append(dst, tagHashed), sum[:]...)
}

// appendDeletedID appends the key of the tombstone of an id, which holds against
// events of one pubkey only: anybody may name any id.
func appendDeletedID(dst []byte, id nostr.EventID, of nostr.PubKey) []byte {
	return append(append(append(dst, spaceDeletion, deletedID), id[:]...), of[:]...)
}

// appendDeletedAddress appends the key of the tombstone of the address that has
// this head key.
func appendDeletedAddress(dst, head []byte) []byte {
	return append(append(dst, spaceDeletion, deletedAddress), head[1:]...)
}

// appendVanish appends an author's key in spaceVanish or spaceVanishing.
func appendVanish(dst []byte, space byte, pk nostr.PubKey) []byte {
	return append(append(dst, space), pk[:]...)
}

// The lengths of an author's keys in spaceVanish and spaceVanishing, of an id's
// tombstone, and of the longest key of an address's.
const (
	vanishLen     = 1 + 32
	deletedIDLen  = 2 + 32 + 32
	maxAddressLen = 2 + 32 + 2 + maxTagInIndex
)

// maxKeyLen bounds the keys that eachIndexKey makes.
const maxKeyLen = 2 + maxTagInIndex + suffixLen

// eachIndexKey calls f with every key that the indexes hold for a stored event,
// except those of the keyspaces id and head, and its brief. Both are only valid during
// the call. A tag that is repeated comes repeatedly.
func eachIndexKey(h nostr.Header, seq subject.Seq, f func(key, brief []byte)) {
	var stack [maxKeyLen]byte
	s := suffixOf(h, seq)
	pk, kind := h.PubKey(), h.Kind()
	var room [authorBriefLen]byte
	brief := appendAuthorBrief(room[:0], kind, pk)
	f(s.appendTo(append(stack[:0], spaceAll)), brief)
	f(s.appendTo(appendAuthor(stack[:0], pk)), nil)
	f(s.appendTo(appendKind(stack[:0], kind)), nil)
	f(s.appendTo(appendAuthorKind(stack[:0], spaceAuthorKind, pk, kind)), nil)
	for name, value := range h.Tags() {
		f(s.appendTo(appendTag(stack[:0], name, value)), brief[:kindBriefLen])
	}
	if at := h.Expiration(); at != 0 {
		f(appendExpirationKey(stack[:0], at, seq), nil)
	}
}

func appendExpirationKey(dst []byte, at int64, seq subject.Seq) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, spaceExpiration), uint64(at))
	return binary.BigEndian.AppendUint64(dst, uint64(seq))
}
