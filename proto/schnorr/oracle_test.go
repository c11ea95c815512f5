package schnorr

import (
	"crypto/sha256"
	"math/big"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

// The oracle is BIP-340 over again in math/big and affine coordinates, written
// after the text of the BIP and sharing nothing with the package: slow, and
// short enough to check by eye.

var (
	oracleP = oracleInt("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F")
	oracleN = oracleInt("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141")
	oracleG = &oraclePoint{
		x: oracleInt("79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798"),
		y: oracleInt("483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8"),
	}
)

// oraclePoint is a point of the curve; nil is infinity.
type oraclePoint struct{ x, y *big.Int }

func oracleInt(hex string) *big.Int {
	n, ok := new(big.Int).SetString(hex, 16)
	if !ok {
		panic("bad constant " + hex)
	}
	return n
}

func (a *oraclePoint) add(b *oraclePoint) *oraclePoint {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	num, den := new(big.Int).Sub(b.y, a.y), new(big.Int).Sub(b.x, a.x)
	if a.x.Cmp(b.x) == 0 {
		if a.y.Cmp(b.y) != 0 {
			return nil
		}
		num.Mul(a.x, a.x).Mul(num, big.NewInt(3))
		den.Lsh(a.y, 1)
	}
	den.Mod(den, oracleP)
	slope := num.Mul(num, den.ModInverse(den, oracleP))
	x := new(big.Int).Mul(slope, slope)
	x.Sub(x, a.x).Sub(x, b.x).Mod(x, oracleP)
	y := new(big.Int).Sub(a.x, x)
	y.Mul(y, slope).Sub(y, a.y).Mod(y, oracleP)
	return &oraclePoint{x, y}
}

func (a *oraclePoint) mul(k *big.Int) (sum *oraclePoint) {
	for i := k.BitLen() - 1; i >= 0; i-- {
		sum = sum.add(sum)
		if k.Bit(i) == 1 {
			sum = sum.add(a)
		}
	}
	return sum
}

// oracleLift is lift_x: nil if x is not a coordinate of a point.
func oracleLift(x *big.Int) *oraclePoint {
	if x.Cmp(oracleP) >= 0 {
		return nil
	}
	c := new(big.Int).Exp(x, big.NewInt(3), oracleP)
	c.Add(c, big.NewInt(7)).Mod(c, oracleP)
	y := new(big.Int).ModSqrt(c, oracleP)
	if y == nil {
		return nil
	}
	if y.Bit(0) == 1 {
		y.Sub(oracleP, y)
	}
	return &oraclePoint{x, y}
}

func oracleHash(name string, parts ...[]byte) []byte {
	t := sha256.Sum256([]byte(name))
	all := append(append([]byte{}, t[:]...), t[:]...)
	for _, part := range parts {
		all = append(all, part...)
	}
	sum := sha256.Sum256(all)
	return sum[:]
}

func oracleChallenge(r, pubkey, msg []byte) *big.Int {
	e := new(big.Int).SetBytes(oracleHash("BIP0340/challenge", r, pubkey, msg))
	return e.Mod(e, oracleN)
}

func oracleVerify(pubkey *[32]byte, msg []byte, sig *[64]byte) bool {
	p := oracleLift(new(big.Int).SetBytes(pubkey[:]))
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	if p == nil || r.Cmp(oracleP) >= 0 || s.Cmp(oracleN) >= 0 {
		return false
	}
	e := oracleChallenge(sig[:32], pubkey[:], msg)
	e.Sub(oracleN, e).Mod(e, oracleN)
	sum := oracleG.mul(s).add(p.mul(e))
	return sum != nil && sum.y.Bit(0) == 0 && sum.x.Cmp(r) == 0
}

// oracleSign signs with a secret that is in range.
func oracleSign(secret *[32]byte, msg []byte, aux *[32]byte) (pubkey [32]byte, sig [64]byte) {
	even := func(k *big.Int) (x [32]byte) {
		p := oracleG.mul(k)
		if p.y.Bit(0) == 1 {
			k.Sub(oracleN, k)
		}
		p.x.FillBytes(x[:])
		return x
	}
	d := new(big.Int).SetBytes(secret[:])
	pubkey = even(d)
	t := new(big.Int).SetBytes(oracleHash("BIP0340/aux", aux[:]))
	t.Xor(t, d)
	k := new(big.Int).SetBytes(oracleHash("BIP0340/nonce", t.FillBytes(make([]byte, 32)), pubkey[:], msg))
	k.Mod(k, oracleN)
	r := even(k)
	s := oracleChallenge(r[:], pubkey[:], msg)
	s.Mul(s, d).Add(s, k).Mod(s, oracleN)
	copy(sig[:32], r[:])
	s.FillBytes(sig[32:])
	return pubkey, sig
}

// decredVerify is Verify in decred's arithmetic, 32-bit limbs and all.
func decredVerify(pubkey *[32]byte, msg []byte, sig *[64]byte) bool {
	var p, sG, eP, sum secp256k1.JacobianPoint
	if p.X.SetBytes(pubkey) != 0 || !secp256k1.DecompressY(&p.X, false, &p.Y) {
		return false
	}
	p.Z.SetInt(1)
	var r secp256k1.FieldVal
	var s, e secp256k1.ModNScalar
	if r.SetBytes((*[32]byte)(sig[:32]))|s.SetBytes((*[32]byte)(sig[32:])) != 0 {
		return false
	}
	h := [32]byte(oracleHash("BIP0340/challenge", sig[:32], pubkey[:], msg))
	e.SetBytes(&h)
	secp256k1.ScalarBaseMultNonConst(&s, &sG)
	secp256k1.ScalarMultNonConst(e.Negate(), &p, &eP)
	secp256k1.AddNonConst(&sG, &eP, &sum)
	if sum.Z.IsZero() || sum.X.IsZero() && sum.Y.IsZero() {
		return false
	}
	sum.ToAffine()
	return sum.X.Equals(&r) && !sum.Y.IsOdd()
}
