package schnorr

import "rhea/proto/schnorr/secp"

// Verify reports whether sig is a valid BIP-340 signature of msg by pubkey, an
// x-only public key. msg may have any length and may be nil; for an event it
// is the 32 bytes of the id. It is safe for concurrent use.
//
// Who sees the same authors again keeps Keys instead, and who sees many
// signatures at a time a Verifier.
func Verify(pubkey *[32]byte, msg []byte, sig *[64]byte) bool {
	var p secp.Affine
	return p.LiftX(pubkey) && verifyPoint(&p, pubkey, msg, sig)
}

// verifyPoint is Verify with p = lift_x(pubkey) already at hand.
func verifyPoint(p *secp.Affine, pubkey *[32]byte, msg []byte, sig *[64]byte) bool {
	r, s, ok := parse(sig)
	if !ok {
		return false
	}
	e := challenge(sig[:32], pubkey, msg)
	e.Neg(&e)
	var sum secp.Jacobian
	sum.TwoMul(&s, &e, p)
	return sum.IsEvenAt(&r)
}

// parse returns the halves of sig, or false unless r is below the field prime
// and s below the group order.
func parse(sig *[64]byte) (r secp.Field, s secp.Scalar, ok bool) {
	ok = r.SetBytes((*[32]byte)(sig[:32]))
	return r, s, s.SetBytes((*[32]byte)(sig[32:])) && ok
}

// challenge is e = hash_challenge(r ‖ pubkey ‖ msg) mod n.
func challenge(r []byte, pubkey *[32]byte, msg []byte) (e secp.Scalar) {
	h := tagChallenge.hash(r, pubkey[:], msg)
	e.SetBytes(&h)
	return e
}
