package schnorr

import (
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

// Verify reports whether sig is a valid BIP-340 signature of msg by pubkey, an
// x-only public key. msg may have any length and may be nil; for an event it
// is the 32 bytes of the id. It is safe for concurrent use.
//
// Who sees the same authors again keeps a Verifier instead.
func Verify(pubkey *[32]byte, msg []byte, sig *[64]byte) bool {
	var p secp256k1.JacobianPoint
	return liftX(&p, pubkey) && verifyPoint(&p, pubkey, msg, sig)
}

// liftX sets p to the point whose x coordinate is the given one and whose y
// coordinate is even. It reports false if there is none: x is not below the
// field prime, or not on the curve, which half of all x are not.
func liftX(p *secp256k1.JacobianPoint, x *[32]byte) bool {
	if p.X.SetBytes(x) != 0 {
		return false
	}
	p.Z.SetInt(1)
	return secp256k1.DecompressY(&p.X, false, &p.Y)
}

// verifyPoint is Verify with p = lift_x(pubkey) already at hand. p is affine
// and normalized and is not changed.
func verifyPoint(p *secp256k1.JacobianPoint, pubkey *[32]byte, msg []byte, sig *[64]byte) bool {
	r, s, ok := parse(sig)
	if !ok {
		return false
	}
	e := challenge(sig[:32], pubkey, msg)
	e.Negate()

	var sG, eP, sum secp256k1.JacobianPoint
	secp256k1.ScalarBaseMultNonConst(&s, &sG)
	secp256k1.ScalarMultNonConst(&e, p, &eP)
	secp256k1.AddNonConst(&sG, &eP, &sum)
	return hasXAndEvenY(&sum, &r)
}

// parse returns the halves of sig, or false unless r is below the field prime
// and s below the group order.
func parse(sig *[64]byte) (r secp256k1.FieldVal, s secp256k1.ModNScalar, ok bool) {
	rOverflow := r.SetBytes((*[32]byte)(sig[:32]))
	sOverflow := s.SetBytes((*[32]byte)(sig[32:]))
	return r, s, rOverflow|sOverflow == 0
}

// challenge is e = hash_challenge(r ‖ pubkey ‖ msg) mod n.
func challenge(r []byte, pubkey *[32]byte, msg []byte) (e secp256k1.ModNScalar) {
	h := tagChallenge.hash(r, pubkey[:], msg)
	e.SetBytes(&h)
	return e
}

// hasXAndEvenY reports whether p is a finite point with the affine x
// coordinate x and an even affine y coordinate. p must be normalized, as the
// results of point operations are.
func hasXAndEvenY(p *secp256k1.JacobianPoint, x *secp256k1.FieldVal) bool {
	if isInfinity(p) {
		return false
	}
	// X/Z² = x is compared as X = x·Z², so a signature that is wrong costs no
	// inversion. Only the parity of y needs one.
	var zz secp256k1.FieldVal
	zz.SquareVal(&p.Z)
	if !zz.Mul(x).Normalize().Equals(&p.X) {
		return false
	}
	affine := *p
	toAffine(&affine)
	return !affine.Y.IsOdd()
}
