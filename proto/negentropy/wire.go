package negentropy

import (
	"fmt"
	"math/bits"

	"rhea/proto/nostr"
)

// Version is the first byte of every message: protocol version 1.
const Version = 0x61

// The modes of a range: what its payload is.
const (
	modeSkip        = 0
	modeFingerprint = 1
	modeIDs         = 2
)

// idSize is the length of an id.
const idSize = 32

// maxVarint is the length of the longest varint that fits 64 bits.
const maxVarint = 10

// Error is what is wrong with a message.
type Error struct {
	Offset int // where in the message, in bytes
	Why    string
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("negentropy message, byte %d: %s", e.Offset, e.Why)
}

// span is one range of a message as it was sent.
type span struct {
	end         Bound
	mode        uint64
	fingerprint Fingerprint
	ids         []byte // part of the message, 32 bytes for each
}

// count is how many ids a range lists, and id is the one at index i.
func (s *span) count() int             { return len(s.ids) / idSize }
func (s *span) id(i int) nostr.EventID { return nostr.EventID(s.ids[i*idSize:]) }

// reader reads the ranges of a message. Its first error stays.
type reader struct {
	msg []byte // all of it
	off int
	end Bound // of the range before
	err error
}

// more reports whether there is a range to read.
func (r *reader) more() bool { return r.err == nil && r.off < len(r.msg) }

// next reads a range, which is valid if r.err is still nil.
func (r *reader) next() (s span) {
	s.end = r.bound()
	at := r.off
	s.mode = r.varint()
	switch s.mode {
	case modeSkip:
	case modeFingerprint:
		copy(s.fingerprint[:], r.bytes(uint64(len(s.fingerprint)), "a fingerprint"))
	case modeIDs:
		at := r.off
		n := r.varint()
		if n > uint64(len(r.msg)-r.off)/idSize {
			r.fail(at, "more ids are announced than follow")
			break
		}
		s.ids = r.bytes(n*idSize, "an id")
	default:
		r.fail(at, "unknown mode")
	}
	return s
}

// bound reads where a range ends. Ranges may be empty, and the reference
// implementation sends such, but never go back.
func (r *reader) bound() (b Bound) {
	at := r.off
	t := r.varint()
	switch sum, carry := bits.Add64(r.end.time, t-1, 0); {
	case t == 0:
		b.time = infinity
	case carry != 0 || sum == infinity:
		r.fail(at, "time is out of range, or after infinity")
	default:
		b.time = sum
	}
	atPrefix := r.off
	n := r.varint()
	switch {
	case n > uint64(len(b.id)):
		r.fail(atPrefix, "id prefix is longer than 32 bytes")
	case n > 0 && b.time == infinity:
		r.fail(atPrefix, "infinity has an id prefix")
	}
	b.prefix = uint8(copy(b.id[:], r.bytes(n, "an id prefix")))
	if b.less(r.end) {
		r.fail(at, "range ends before it begins")
	}
	r.end = b
	return b
}

// varint reads a number: base 128, most significant digit first.
func (r *reader) varint() (v uint64) {
	for at := r.off; r.err == nil; {
		switch {
		case r.off == len(r.msg):
			r.fail(at, "message ends within a number")
		case v>>57 != 0:
			r.fail(at, "number does not fit 64 bits")
		case r.off == at && r.msg[at] == 0x80:
			r.fail(at, "number has leading zeros")
		default:
			digit := r.msg[r.off]
			r.off++
			v = v<<7 | uint64(digit&0x7f)
			if digit < 0x80 {
				return v
			}
		}
	}
	return 0
}

// bytes reads n bytes.
func (r *reader) bytes(n uint64, what string) []byte {
	if r.err == nil && n > uint64(len(r.msg)-r.off) {
		r.fail(r.off, "message ends within "+what)
	}
	if r.err != nil {
		return nil
	}
	r.off += int(n)
	return r.msg[r.off-int(n) : r.off]
}

func (r *reader) fail(at int, why string) {
	if r.err == nil {
		r.err = &Error{Offset: at, Why: why}
	}
}

// appendVarint appends a number with as few digits as possible.
func appendVarint(dst []byte, v uint64) []byte {
	for shift := (bits.Len64(v|1) - 1) / 7 * 7; shift > 0; shift -= 7 {
		dst = append(dst, byte(v>>shift)|0x80)
	}
	return append(dst, byte(v&0x7f))
}
