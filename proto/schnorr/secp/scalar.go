package secp

import (
	"encoding/binary"
	"math/bits"
)

// order is n, the order of the group; foldN is 2²⁵⁶ − n.
var (
	order = [4]uint64{0xBFD25E8CD0364141, 0xBAAEDCE6AF48A03B, 0xFFFFFFFFFFFFFFFE, ones}
	foldN = [3]uint64{0x402DA1732FC9BEBF, 0x4551231950B75FC4, 1}
)

// Scalar is a number modulo n, the order of the group, always reduced: four
// limbs, lowest first. The zero value is 0. Results may be one of the operands.
type Scalar [4]uint64

// SetBytes sets z to the big-endian b modulo n and reports whether b was below
// n to begin with.
func (z *Scalar) SetBytes(b *[32]byte) bool {
	for i := range z {
		z[i] = binary.BigEndian.Uint64(b[24-8*i:])
	}
	return !z.subtractOrder(0)
}

// subtractOrder takes n away once from z, with carry the limb above it, if
// that leaves something that is not negative, and reports whether it did.
func (z *Scalar) subtractOrder(carry uint64) bool {
	r0, c := bits.Sub64(z[0], order[0], 0)
	r1, c := bits.Sub64(z[1], order[1], c)
	r2, c := bits.Sub64(z[2], order[2], c)
	r3, c := bits.Sub64(z[3], order[3], c)
	if c > carry {
		return false
	}
	*z = Scalar{r0, r1, r2, r3}
	return true
}

// IsZero reports whether x is 0.
func (x *Scalar) IsZero() bool { return *x == Scalar{} }

// Add sets z = x + y.
func (z *Scalar) Add(x, y *Scalar) {
	var c uint64
	for i := range z {
		z[i], c = bits.Add64(x[i], y[i], c)
	}
	z.subtractOrder(c)
}

// Neg sets z = −x.
func (z *Scalar) Neg(x *Scalar) {
	if x.IsZero() {
		*z = Scalar{}
		return
	}
	var c uint64
	for i := range z {
		z[i], c = bits.Sub64(order[i], x[i], c)
	}
}

// Mul sets z = x·y. The upper half of the product comes back multiplied by
// foldN, of 129 bits, three times over: 512 bits become 386, 260 and 257.
func (z *Scalar) Mul(x, y *Scalar) {
	l := product((*[4]uint64)(x), (*[4]uint64)(y))
	for range 3 {
		l = foldScalar(&l)
	}
	*z = Scalar(l[:4])
	z.subtractOrder(l[4])
}

// foldScalar returns the lower half of l plus foldN times the upper.
func foldScalar(l *[8]uint64) (r [8]uint64) {
	copy(r[:4], l[:4])
	for i, h := range l[4:] {
		if h == 0 {
			continue
		}
		var carry uint64
		for j, f := range foldN {
			hi, lo := bits.Mul64(h, f)
			var c uint64
			lo, c = bits.Add64(lo, r[i+j], 0)
			hi += c
			lo, c = bits.Add64(lo, carry, 0)
			r[i+j], carry = lo, hi+c
		}
		for j := i + 3; carry != 0; j++ {
			r[j], carry = bits.Add64(r[j], carry, 0)
		}
	}
	return r
}
