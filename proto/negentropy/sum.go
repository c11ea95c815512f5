package negentropy

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"

	"rhea/proto/nostr"
)

// Sum is the sum modulo 2^256 of ids, read as little-endian numbers: the lowest
// 64 bits come first. The zero value is the sum of nothing.
type Sum [4]uint64

// SumOf is the sum of one id.
func SumOf(id nostr.EventID) Sum {
	return Sum{
		binary.LittleEndian.Uint64(id[0:]), binary.LittleEndian.Uint64(id[8:]),
		binary.LittleEndian.Uint64(id[16:]), binary.LittleEndian.Uint64(id[24:]),
	}
}

// Add returns s + t.
func (s Sum) Add(t Sum) Sum {
	var c uint64
	s[0], c = bits.Add64(s[0], t[0], 0)
	s[1], c = bits.Add64(s[1], t[1], c)
	s[2], c = bits.Add64(s[2], t[2], c)
	s[3], _ = bits.Add64(s[3], t[3], c)
	return s
}

// Sub returns s - t.
func (s Sum) Sub(t Sum) Sum {
	var c uint64
	s[0], c = bits.Sub64(s[0], t[0], 0)
	s[1], c = bits.Sub64(s[1], t[1], c)
	s[2], c = bits.Sub64(s[2], t[2], c)
	s[3], _ = bits.Sub64(s[3], t[3], c)
	return s
}

// Fingerprint is the digest of count ids whose sum is s.
func (s Sum) Fingerprint(count int) Fingerprint {
	buf := make([]byte, 0, 32+maxVarint)
	for _, w := range s {
		buf = binary.LittleEndian.AppendUint64(buf, w)
	}
	hash := sha256.Sum256(appendVarint(buf, uint64(count)))
	return Fingerprint(hash[:])
}

// Fingerprint is a digest of a range's ids.
type Fingerprint [16]byte
