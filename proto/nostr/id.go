package nostr

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
)

// EventID is the SHA-256 of an event's canonical form (NIP-01).
type EventID [32]byte

// PubKey is the x coordinate of a secp256k1 point (BIP-340). Nothing here
// checks that the point exists; verification of the signature does.
type PubKey [32]byte

// Sig is a BIP-340 signature.
type Sig [64]byte

// String returns the id as 64 lowercase hex digits.
func (id EventID) String() string { return hex.EncodeToString(id[:]) }

// String returns the key as 64 lowercase hex digits.
func (pk PubKey) String() string { return hex.EncodeToString(pk[:]) }

// String returns the signature as 128 lowercase hex digits.
func (s Sig) String() string { return hex.EncodeToString(s[:]) }

// Compare orders ids as bytes, which is also the order of their hex.
func (id EventID) Compare(other EventID) int { return compare32(id[:], other[:]) }

// Compare orders keys as bytes, which is also the order of their hex.
func (pk PubKey) Compare(other PubKey) int { return compare32(pk[:], other[:]) }

// compare32 is bytes.Compare for 32 bytes that are mostly random: the first
// eight decide.
func compare32(a, b []byte) int {
	x, y := binary.BigEndian.Uint64(a), binary.BigEndian.Uint64(b)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return bytes.Compare(a[8:], b[8:])
}

// ParseEventID reads exactly 64 lowercase hex digits.
func ParseEventID(s string) (id EventID, err error) {
	if !decodeHex(id[:], s) {
		return EventID{}, &Error{Field: "id", Why: whyHex64}
	}
	return id, nil
}

// ParsePubKey reads exactly 64 lowercase hex digits.
func ParsePubKey(s string) (pk PubKey, err error) {
	if !decodeHex(pk[:], s) {
		return PubKey{}, &Error{Field: "pubkey", Why: whyHex64}
	}
	return pk, nil
}

// ParseSig reads exactly 128 lowercase hex digits.
func ParseSig(s string) (sig Sig, err error) {
	if !decodeHex(sig[:], s) {
		return Sig{}, &Error{Field: "sig", Why: whyHex128}
	}
	return sig, nil
}

const (
	whyHex64  = "must be 64 lowercase hex digits"
	whyHex128 = "must be 128 lowercase hex digits"
)

// decodeHex fills dst from lowercase hex of exactly twice its length.
func decodeHex(dst []byte, s string) bool {
	if len(s) != 2*len(dst) {
		return false
	}
	var bad byte
	for i := range dst {
		hi, lo := nibbles[s[2*i]], nibbles[s[2*i+1]]
		bad |= hi | lo
		dst[i] = hi<<4 | lo&15
	}
	return bad < 16
}

// nibbles holds the value of each lowercase hex digit and 0xff for the rest.
// It is never written.
var nibbles = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range []byte("0123456789abcdef") {
		t[c] = byte(i)
	}
	return t
}()

// Kind is the kind of an event (NIP-01).
type Kind uint16

// IsReplaceable reports whether only the newest event of a pubkey and this
// kind is kept.
func (k Kind) IsReplaceable() bool { return k == 0 || k == 3 || 10000 <= k && k < 20000 }

// IsEphemeral reports whether events of this kind are passed on and not kept.
func (k Kind) IsEphemeral() bool { return 20000 <= k && k < 30000 }

// IsAddressable reports whether only the newest event of a pubkey, this kind
// and a d tag value is kept.
func (k Kind) IsAddressable() bool { return 30000 <= k && k < 40000 }

// IsRegular reports whether every event of this kind is kept: all kinds that
// are none of the above, including those that NIP-01 leaves unspecified.
func (k Kind) IsRegular() bool {
	return !k.IsReplaceable() && !k.IsEphemeral() && !k.IsAddressable()
}
