package schnorr

import "testing"

func benchSignature(b *testing.B) (pubkey, msg [32]byte, sig [64]byte) {
	b.Helper()
	secret, aux := [32]byte{31: 3}, [32]byte{}
	msg = [32]byte{1, 2, 3}
	pubkey, err := PublicKey(&secret)
	if err != nil {
		b.Fatal(err)
	}
	if sig, err = Sign(&secret, &msg, &aux); err != nil {
		b.Fatal(err)
	}
	return pubkey, msg, sig
}

func BenchmarkVerify(b *testing.B) {
	pubkey, msg, sig := benchSignature(b)
	b.ReportAllocs()
	for b.Loop() {
		if !Verify(&pubkey, msg[:], &sig) {
			b.Fatal("valid signature refused")
		}
	}
}

// BenchmarkVerifyDecred is what BenchmarkVerify is compared with in one run.
func BenchmarkVerifyDecred(b *testing.B) {
	pubkey, msg, sig := benchSignature(b)
	for b.Loop() {
		if !decredVerify(&pubkey, msg[:], &sig) {
			b.Fatal("valid signature refused")
		}
	}
}

// BenchmarkVerifyCachedKey is BenchmarkVerify for an author seen before.
func BenchmarkVerifyCachedKey(b *testing.B) {
	pubkey, msg, sig := benchSignature(b)
	v := NewKeys(1)
	b.ReportAllocs()
	for b.Loop() {
		if !v.Verify(&pubkey, msg[:], &sig) {
			b.Fatal("valid signature refused")
		}
	}
}

func BenchmarkSign(b *testing.B) {
	secret, msg, aux := [32]byte{31: 3}, [32]byte{1, 2, 3}, [32]byte{}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Sign(&secret, &msg, &aux); err != nil {
			b.Fatal(err)
		}
	}
}
