package nostr

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"strconv"
	"strings"
)

// Registers is a HyperLogLog of public keys as NIP-45 defines it: from it a client
// estimates how many different authors an answer has, over several relays. The
// zero value has seen none.
type Registers [256]uint8

// The bounds of an offset. Behind the largest there are still eight bytes of the
// key to count zeros in.
const (
	minHLLOffset = 8
	maxHLLOffset = minHLLOffset + 15
)

// Add counts a key. The byte at offset, which is one of Filter.HLLOffset, chooses
// the register; any other is ignored.
func (r *Registers) Add(pk PubKey, offset int) {
	if offset < minHLLOffset || offset > maxHLLOffset {
		return
	}
	rank := 1
	for rest := pk[offset+1:]; ; rest = rest[8:] {
		var word [8]byte
		n := copy(word[:], rest)
		zeros := bits.LeadingZeros64(binary.BigEndian.Uint64(word[:]))
		if zeros < 8*n {
			rank += zeros
			break
		}
		if rank += 8 * n; n == len(rest) {
			break
		}
	}
	reg := &r[pk[offset]]
	*reg = max(*reg, uint8(rank))
}

// Merge makes r what it were if it had seen the keys of other, too.
func (r *Registers) Merge(other *Registers) {
	for i, v := range other {
		r[i] = max(r[i], v)
	}
}

// HLLOffset returns the byte of the public keys, 8 to 23, that chooses the register
// in an answer to a COUNT of f. It is 0 if NIP-45 defines none, because f has no
// tag condition or an empty one comes first.
//
// The first value of the first tag condition determines it: an id or a key as it
// is, the key of an address, the SHA-256 of anything else.
func (f *Filter) HLLOffset() int {
	if len(f.Tags) == 0 || len(f.Tags[0].Values) == 0 {
		return 0
	}
	v := f.Tags[0].First
	b, packed := v.Packed()
	if !packed {
		key, ok := addressKey(v.raw)
		if !ok {
			key = sha256.Sum256(v.Raw())
		}
		b = key[:]
	}
	return int(b[16]>>4) + minHLLOffset // the hex digit at 32
}

// addressKey returns the public key of kind:pubkey:d.
func addressKey(s string) (key PubKey, ok bool) {
	kind, rest, ok := strings.Cut(s, ":")
	if !ok {
		return PubKey{}, false
	}
	hex, _, ok := strings.Cut(rest, ":")
	if !ok || !decodeHex(key[:], hex) {
		return PubKey{}, false
	}
	_, err := strconv.ParseUint(kind, 10, 16)
	return key, err == nil
}
