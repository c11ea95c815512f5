package nostr

import (
	"encoding/binary"
	"errors"
	"iter"
	"strconv"
	"unsafe"
)

// Header is what is indexed and matched of an event, packed once by the
// ingester; it travels on the bus and is stored before the JSON. Version 1:
//
//	offset  bytes
//	0       1     version, 1
//	1       32    id
//	33      32    pubkey
//	65      8     created_at, big endian, not negative
//	73      2     kind, big endian
//	75      1     flags: 1 protected (NIP-70), 2 the first d tag has no value
//	76      8     expiration, big endian; 0 none (NIP-40)
//	84      …     uvarint number of indexed tags, then for each of them its
//	              name (1 byte), uvarint (length<<1 | packed), and the value
//
// Indexed are the tags whose name is one letter a-z or A-Z and that have a
// value; only the first value counts (NIP-01). They stand in the order of the
// event, repetitions included. A value of exactly 64 lowercase hex digits is
// packed to 32 bytes, always, so that equal texts have equal bytes. Uvarints
// have no needless bytes: an event has exactly one header.
//
// The accessors trust the bytes: a Header comes from AppendHeader or has
// passed CheckHeader.
type Header []byte

const (
	headerVersion   = 1
	offID           = 1
	offPubKey       = 33
	offCreatedAt    = 65
	offKind         = 73
	offFlags        = 75
	offExpiration   = 76
	offTags         = 84
	flagProtected   = 1
	flagBareD       = 2
	allHeaderFlags  = flagProtected | flagBareD
	packedTagLength = 32
)

// AppendHeader appends the header of e to dst and returns the extended slice.
// (With an empty dst the result is the header; otherwise the header is what
// stands after dst.)
func AppendHeader(dst []byte, e *Event) Header {
	dst = append(dst, headerVersion)
	dst = append(dst, e.ID[:]...)
	dst = append(dst, e.PubKey[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.CreatedAt))
	dst = binary.BigEndian.AppendUint16(dst, uint16(e.Kind))
	flags, expiration, indexed := survey(e.Tags)
	dst = append(dst, flags)
	dst = binary.BigEndian.AppendUint64(dst, uint64(expiration))
	dst = binary.AppendUvarint(dst, indexed)
	var packed [packedTagLength]byte
	for _, tag := range e.Tags {
		if !isIndexed(tag) {
			continue
		}
		dst = append(dst, tag[0][0])
		if decodeHex(packed[:], tag[1]) {
			dst = append(dst, packedTagLength<<1|1)
			dst = append(dst, packed[:]...)
		} else {
			dst = binary.AppendUvarint(dst, uint64(len(tag[1]))<<1)
			dst = append(dst, tag[1]...)
		}
	}
	return dst
}

// survey collects what the header says about the tags as a whole. The
// expiration is that of the first expiration tag with a usable value: decimal
// digits of 1..2^63-1. Anything else, 0 included, is no expiration.
func survey(tags []Tag) (flags byte, expiration int64, indexed uint64) {
	seenD := false
	for _, tag := range tags {
		if isIndexed(tag) {
			indexed++
		}
		if len(tag) == 0 {
			continue
		}
		switch tag[0] {
		case "-":
			flags |= flagProtected
		case "d":
			if !seenD && len(tag) < 2 {
				flags |= flagBareD
			}
			seenD = true
		case "expiration":
			if expiration == 0 && len(tag) > 1 {
				expiration = parseExpiration(tag[1])
			}
		}
	}
	return flags, expiration, indexed
}

func parseExpiration(s string) int64 {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func isIndexed(tag Tag) bool { return len(tag) > 1 && len(tag[0]) == 1 && isLetter(tag[0][0]) }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// CheckHeader checks foreign bytes completely, so that no accessor can panic
// or disagree with AppendHeader afterwards. b must be the header and nothing
// more.
func CheckHeader(b []byte) (Header, error) {
	switch {
	case len(b) <= offTags:
		return nil, errors.New("header: too short")
	case b[0] != headerVersion:
		return nil, errors.New("header: unknown version " + strconv.Itoa(int(b[0])))
	case b[offCreatedAt] > 127 || b[offExpiration] > 127:
		return nil, errors.New("header: negative time")
	case b[offFlags]&^allHeaderFlags != 0:
		return nil, errors.New("header: unknown flags")
	}
	count, rest, ok := uvarint(b[offTags:])
	if !ok {
		return nil, errors.New("header: malformed tag count")
	}
	for ; count > 0; count-- {
		if len(rest) < 2 || !isLetter(rest[0]) {
			return nil, errors.New("header: malformed tag name")
		}
		var size uint64
		if size, rest, ok = uvarint(rest[1:]); !ok || size>>1 > uint64(len(rest)) {
			return nil, errors.New("header: malformed tag length")
		}
		value := rest[:size>>1]
		rest = rest[size>>1:]
		if !isCanonical(value, size&1 == 1) {
			return nil, errors.New("header: tag value not in canonical form")
		}
	}
	if len(rest) > 0 {
		return nil, errors.New("header: trailing bytes")
	}
	return b, nil
}

// uvarint reads a minimal uvarint and returns what follows it.
func uvarint(b []byte) (v uint64, rest []byte, ok bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 || n > 1 && b[n-1] == 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

func isCanonical(value []byte, packed bool) bool {
	if packed {
		return len(value) == packedTagLength
	}
	var b [packedTagLength]byte
	return !decodeHex(b[:], text(value))
}

// text views b as a string.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// ID returns the id of the event.
func (h Header) ID() EventID { return EventID(h[offID:offPubKey]) }

// PubKey returns the author of the event.
func (h Header) PubKey() PubKey { return PubKey(h[offPubKey:offCreatedAt]) }

// CreatedAt returns created_at in Unix seconds.
func (h Header) CreatedAt() int64 { return int64(binary.BigEndian.Uint64(h[offCreatedAt:])) }

// Kind returns the kind of the event.
func (h Header) Kind() Kind { return Kind(binary.BigEndian.Uint16(h[offKind:])) }

// Expiration returns the time in Unix seconds at which the event expires
// (NIP-40), 0 if it does not.
func (h Header) Expiration() int64 { return int64(binary.BigEndian.Uint64(h[offExpiration:])) }

// Protected reports whether the event has a "-" tag (NIP-70).
func (h Header) Protected() bool { return h[offFlags]&flagProtected != 0 }

// D returns the d tag value that is part of the address of an addressable
// event: the value of the first tag named d, and the empty text if there is
// none or it has no value, whatever later d tags say.
func (h Header) D() TagValue {
	if h[offFlags]&flagBareD == 0 {
		for name, value := range h.Tags() {
			if name == 'd' {
				return value
			}
		}
	}
	return TagValue{}
}

// Tags iterates over the indexed tags, names and first values, in the order
// of the event. It does not allocate; the values alias the header.
func (h Header) Tags() iter.Seq2[byte, TagValue] {
	// Small enough to be inlined, which keeps the closure off the heap.
	return func(yield func(byte, TagValue) bool) { h.eachTag(yield) }
}

func (h Header) eachTag(yield func(byte, TagValue) bool) {
	count, n := binary.Uvarint(h[offTags:])
	for rest := h[offTags+n:]; count > 0; count-- {
		name := rest[0]
		size, n := binary.Uvarint(rest[1:])
		rest = rest[1+n:]
		if !yield(name, TagValue{raw: text(rest[:size>>1]), packed: size&1 == 1}) {
			return
		}
		rest = rest[size>>1:]
	}
}
