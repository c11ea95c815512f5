package schnorr

import (
	"math/big"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

// inverse returns 1/f for a normalized f that is not zero, in variable time.
// decred raises f to the power p−2 in 15 µs; Lehmer's Euclid in math/big takes
// 1.6 µs and 11 small allocations.
func inverse(f *secp256k1.FieldVal) (inv secp256k1.FieldVal) {
	var b [32]byte
	f.PutBytes(&b)
	var x big.Int
	x.SetBytes(b[:])
	x.ModInverse(&x, secp256k1.Params().P)
	x.FillBytes(b[:])
	inv.SetBytes(&b)
	return inv
}

// toAffine sets p, which is finite and normalized, to Z = 1.
func toAffine(p *secp256k1.JacobianPoint) {
	zInv := inverse(&p.Z)
	zz := zInv
	zz.Square()
	p.X.Mul(&zz).Normalize()
	p.Y.Mul(&zz).Mul(&zInv).Normalize()
	p.Z.SetInt(1)
}
