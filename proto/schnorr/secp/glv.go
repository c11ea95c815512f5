package secp

import "math/bits"

// The curve has an endomorphism: (βx, y) is λ·(x, y). Any k is then a + b·λ
// with a and b of at most 128 bits, and k·P is a·P + b·(λP), with half the
// doublings. The constants are libsecp256k1's (scalar_impl.h): g1 and g2 are
// 2³⁸⁴ times the entries of the inverse of the reduced lattice basis, rounded.
var (
	beta    = Field{0xC1396C28719501EE, 0x9CF0497512F58995, 0x6E64479EAC3434E9, 0x7AE96A2B657C0710}
	lambda  = Scalar{0xDF02967C1B23BD72, 0x122E22EA20816678, 0xA5261C028812645A, 0x5363AD4CC05C30E0}
	latG1   = Scalar{0xE893209A45DBB031, 0x3DAA8A1471E8CA7F, 0xE86C90E49284EB15, 0x3086D221A7D46BCD}
	latG2   = Scalar{0x1571B4AE8AC47F71, 0x221208AC9DF506C6, 0x6F547FA90ABFE4C4, 0xE4437ED6010E8828}
	latNegA = Scalar{0x6F547FA90ABFE4C3, 0xE4437ED6010E8828}
	latNegB = Scalar{0xD765CDA83DB1562C, 0x8A280AC50774346D, 0xFFFFFFFFFFFFFFFE, ones}
)

// Short is an integer of at most 128 bits and a sign.
type Short struct {
	Abs [2]uint64 // lowest limb first
	Neg bool
}

// split returns a and b with k = a + b·λ.
func (k *Scalar) split() (a, b Short) {
	c1, c2 := k.mulShift(&latG1), k.mulShift(&latG2)
	c1.Mul(&c1, &latNegA)
	c2.Mul(&c2, &latNegB)
	var r, t Scalar
	r.Add(&c1, &c2)
	t.Mul(&r, &lambda)
	t.Neg(&t)
	t.Add(&t, k)
	return t.short(), r.short()
}

// mulShift returns k·g / 2³⁸⁴, rounded.
func (k *Scalar) mulShift(g *Scalar) Scalar {
	l := product((*[4]uint64)(k), (*[4]uint64)(g))
	lo, c := bits.Add64(l[6], l[5]>>63, 0)
	return Scalar{lo, l[7] + c}
}

// short returns k, or the negative number n below it, whichever fits.
func (k *Scalar) short() Short {
	if k[2]|k[3] == 0 {
		return Short{Abs: [2]uint64{k[0], k[1]}}
	}
	var m Scalar
	m.Neg(k)
	return Short{Abs: [2]uint64{m[0], m[1]}, Neg: true}
}
