package secp

import (
	"encoding/binary"
	"math/bits"
)

// foldP is 2²⁵⁶ mod p, where p = 2²⁵⁶ − 2³² − 977 is the field prime: what
// passes 2²⁵⁶ comes back multiplied by it.
const foldP = 0x1000003D1

// The limbs of p but for the lowest are all ones.
const (
	p0   = 0xFFFFFFFEFFFFFC2F
	ones = 0xFFFFFFFFFFFFFFFF
)

// Field is an element of the field of p elements: four limbs, lowest first,
// holding any value below 2²⁵⁶ that is congruent to it. The zero value is 0.
// Results may be one of the operands.
type Field [4]uint64

// SetBytes sets z to the big-endian b and reports whether b is below p, as
// every encoded coordinate must be.
func (z *Field) SetBytes(b *[32]byte) bool {
	for i := range z {
		z[i] = binary.BigEndian.Uint64(b[24-8*i:])
	}
	return z[0] < p0 || z[1]&z[2]&z[3] != ones
}

// reduced returns the value of x below p.
func (x *Field) reduced() Field {
	if x[0] < p0 || x[1]&x[2]&x[3] != ones {
		return *x
	}
	return Field{x[0] - p0}
}

// IsZero reports whether x is congruent to 0, which below 2²⁵⁶ are 0 and p.
func (x *Field) IsZero() bool {
	return x[0]|x[1]|x[2]|x[3] == 0 || x[0] == p0 && x[1]&x[2]&x[3] == ones
}

// IsOdd reports whether the reduced x is odd.
func (x *Field) IsOdd() bool {
	r := x.reduced()
	return r[0]&1 == 1
}

// Equal reports whether x and y are congruent.
func (x *Field) Equal(y *Field) bool {
	return x.reduced() == y.reduced()
}

// Add sets z = x + y.
func (z *Field) Add(x, y *Field) {
	r0, c := bits.Add64(x[0], y[0], 0)
	r1, c := bits.Add64(x[1], y[1], c)
	r2, c := bits.Add64(x[2], y[2], c)
	r3, c := bits.Add64(x[3], y[3], c)
	r0, c = bits.Add64(r0, -c&foldP, 0)
	r1, c = bits.Add64(r1, 0, c)
	r2, c = bits.Add64(r2, 0, c)
	r3, c = bits.Add64(r3, 0, c)
	// A second carry leaves less than foldP in r0 and nothing above.
	z[0], z[1], z[2], z[3] = r0+-c&foldP, r1, r2, r3
}

// Sub sets z = x − y.
func (z *Field) Sub(x, y *Field) {
	r0, c := bits.Sub64(x[0], y[0], 0)
	r1, c := bits.Sub64(x[1], y[1], c)
	r2, c := bits.Sub64(x[2], y[2], c)
	r3, c := bits.Sub64(x[3], y[3], c)
	r0, c = bits.Sub64(r0, -c&foldP, 0)
	r1, c = bits.Sub64(r1, 0, c)
	r2, c = bits.Sub64(r2, 0, c)
	r3, c = bits.Sub64(r3, 0, c)
	// A second borrow leaves r0 within foldP of 2⁶⁴.
	z[0], z[1], z[2], z[3] = r0-(-c&foldP), r1, r2, r3
}

// Neg sets z = −x.
func (z *Field) Neg(x *Field) {
	var zero Field
	z.Sub(&zero, x)
}

// half sets z = x / 2.
func (z *Field) half(x *Field) {
	odd := -(x[0] & 1)
	r0, c := bits.Add64(x[0], odd&p0, 0)
	r1, c := bits.Add64(x[1], odd, c)
	r2, c := bits.Add64(x[2], odd, c)
	r3, c := bits.Add64(x[3], odd, c)
	z[0], z[1], z[2], z[3] = r0>>1|r1<<63, r1>>1|r2<<63, r2>>1|r3<<63, r3>>1|c<<63
}

// Mul sets z = x·y.
func (z *Field) Mul(x, y *Field) { mul(z, x, y) }

// Sqr sets z = x².
func (z *Field) Sqr(x *Field) { sqr(z, x, 1) }

// sqrN sets z to x squared n times over, n at least 1.
func (z *Field) sqrN(x *Field, n int) { sqr(z, x, n) }
