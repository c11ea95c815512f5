package schnorr

import (
	"errors"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

var (
	// ErrSecret says that a secret key is zero or not below the group order.
	ErrSecret = errors.New("schnorr: secret key out of range")
	// ErrNonce says that the nonce derived from key, message and auxiliary
	// randomness is zero, which nobody will ever see by chance.
	ErrNonce = errors.New("schnorr: nonce is zero")
)

// PublicKey returns the x-only public key of secret. The error is ErrSecret.
func PublicKey(secret *[32]byte) ([32]byte, error) {
	_, pubkey, err := keyPair(secret)
	return pubkey, err
}

// Sign returns the BIP-340 signature of msg by secret with the auxiliary
// randomness aux, which may be all zeros: the signature is then deterministic
// and still safe. Unlike the default of BIP-340 it does not verify what it
// made, since load clients sign in bulk. It is not constant-time. The errors
// are ErrSecret and ErrNonce.
func Sign(secret *[32]byte, msg *[32]byte, aux *[32]byte) (sig [64]byte, err error) {
	return sign(secret, msg[:], aux)
}

// sign is Sign for messages of any length, as BIP-340 defines it.
func sign(secret *[32]byte, msg []byte, aux *[32]byte) (sig [64]byte, err error) {
	d, pubkey, err := keyPair(secret)
	if err != nil {
		return sig, err
	}
	masked := d.Bytes()
	mask := tagAux.hash(aux[:], nil, nil)
	for i := range masked {
		masked[i] ^= mask[i]
	}
	nonce := tagNonce.hash(masked[:], pubkey[:], msg)
	var k secp256k1.ModNScalar
	k.SetBytes(&nonce)
	if k.IsZero() {
		return sig, ErrNonce
	}
	r := evenMultiple(&k)
	h := tagChallenge.hash(r[:], pubkey[:], msg)
	var e secp256k1.ModNScalar
	e.SetBytes(&h)
	s := e.Mul(&d).Add(&k).Bytes()
	copy(sig[:32], r[:])
	copy(sig[32:], s[:])
	return sig, nil
}

// keyPair returns the public key of secret and the scalar, secret or its
// negation, for which the y coordinate of the public key is even.
func keyPair(secret *[32]byte) (d secp256k1.ModNScalar, pubkey [32]byte, err error) {
	if d.SetBytes(secret) != 0 || d.IsZero() {
		return d, pubkey, ErrSecret
	}
	pubkey = evenMultiple(&d)
	return d, pubkey, nil
}

// evenMultiple returns the x coordinate of k·G and negates k if the y
// coordinate is odd. k is not zero.
func evenMultiple(k *secp256k1.ModNScalar) (x [32]byte) {
	var p secp256k1.JacobianPoint
	secp256k1.ScalarBaseMultNonConst(k, &p)
	toAffine(&p)
	if p.Y.IsOdd() {
		k.Negate()
	}
	p.X.PutBytes(&x)
	return x
}
