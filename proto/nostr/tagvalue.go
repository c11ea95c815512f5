package nostr

import (
	"encoding/hex"
	"strings"
	"unsafe"
)

// TagValue is the value of an indexed tag in the form in which headers hold
// it: text of exactly 64 lowercase hex digits is packed to its 32 bytes, all
// else stands as it is. The form is canonical: two values are equal (==) when
// their texts are, so a TagValue is a map key as it stands. The zero TagValue
// is the empty text.
//
// A TagValue from a Header aliases the header; Clone one that is kept.
type TagValue struct {
	raw    string
	packed bool
}

// NewTagValue returns the value of a text. It aliases s unless s is packed.
func NewTagValue(s string) TagValue {
	var b [32]byte
	if decodeHex(b[:], s) {
		return PackedTagValue(b)
	}
	return TagValue{raw: s}
}

// PackedTagValue returns the value whose text is the hex of b, such as an
// event id or a pubkey.
func PackedTagValue(b [32]byte) TagValue { return TagValue{raw: string(b[:]), packed: true} }

// String returns the text of the value.
func (v TagValue) String() string {
	if v.packed {
		return hex.EncodeToString(v.bytes())
	}
	return v.raw
}

// AppendTo appends the text of the value.
func (v TagValue) AppendTo(dst []byte) []byte {
	if v.packed {
		return hex.AppendEncode(dst, v.bytes())
	}
	return append(dst, v.raw...)
}

// Packed returns the 32 bytes of a packed value, which must not be written,
// and whether it is one.
func (v TagValue) Packed() ([]byte, bool) {
	if !v.packed {
		return nil, false
	}
	return v.bytes(), true
}

// Raw returns the bytes as the header holds them, packed or not: with Packed's
// bool they are the value. They must not be written.
func (v TagValue) Raw() []byte { return v.bytes() }

// Equal reports whether both have the same text. It is the same as ==.
func (v TagValue) Equal(other TagValue) bool { return v == other }

// Compare orders values: packed ones first, then by bytes. It is a total
// order, and not that of the texts.
func (v TagValue) Compare(other TagValue) int {
	switch {
	case v == other:
		return 0
	case v.less(&other):
		return -1
	}
	return 1
}

func (v *TagValue) less(other *TagValue) bool {
	if v.packed != other.packed {
		return v.packed
	}
	if v.packed {
		return compare32(v.bytes(), other.bytes()) < 0
	}
	return v.raw < other.raw
}

// Clone returns a copy that shares no memory.
func (v TagValue) Clone() TagValue { return TagValue{strings.Clone(v.raw), v.packed} }

func (v *TagValue) bytes() []byte { return unsafe.Slice(unsafe.StringData(v.raw), len(v.raw)) }
