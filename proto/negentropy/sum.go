package negentropy

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"

	"rhea/proto/nostr"
)

// Sum is the sum modulo 2^256 of ids, read as little-endian numbers. The zero
// value is the sum of nothing.
type Sum struct {
	// Four words, the lowest first. As an array the compiler would keep them in
	// memory, and adding up a set would take several times as long.
	a, b, c, d uint64
}

// SumOf is the sum of one id.
func SumOf(id nostr.EventID) Sum {
	return Sum{
		binary.LittleEndian.Uint64(id[0:]), binary.LittleEndian.Uint64(id[8:]),
		binary.LittleEndian.Uint64(id[16:]), binary.LittleEndian.Uint64(id[24:]),
	}
}

// Add returns s + t.
func (s Sum) Add(t Sum) Sum {
	var carry uint64
	s.a, carry = bits.Add64(s.a, t.a, 0)
	s.b, carry = bits.Add64(s.b, t.b, carry)
	s.c, carry = bits.Add64(s.c, t.c, carry)
	s.d, _ = bits.Add64(s.d, t.d, carry)
	return s
}

// Sub returns s - t.
func (s Sum) Sub(t Sum) Sum {
	var borrow uint64
	s.a, borrow = bits.Sub64(s.a, t.a, 0)
	s.b, borrow = bits.Sub64(s.b, t.b, borrow)
	s.c, borrow = bits.Sub64(s.c, t.c, borrow)
	s.d, _ = bits.Sub64(s.d, t.d, borrow)
	return s
}

// Fingerprint is the digest of count ids whose sum is s.
func (s Sum) Fingerprint(count int) Fingerprint {
	buf := make([]byte, 0, 32+maxVarint)
	for _, w := range [...]uint64{s.a, s.b, s.c, s.d} {
		buf = binary.LittleEndian.AppendUint64(buf, w)
	}
	hash := sha256.Sum256(appendVarint(buf, uint64(count)))
	return Fingerprint(hash[:])
}

// Fingerprint is a digest of a range's ids.
type Fingerprint [16]byte
