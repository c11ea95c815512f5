package schnorr

import (
	"fmt"
	"testing"
)

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

// benchBatch signs n messages, each by an author of its own.
func benchBatch(b *testing.B, n int) []Signature {
	b.Helper()
	sigs := make([]Signature, n)
	for i := range sigs {
		s, secret := &sigs[i], [32]byte{1: byte(i), 2: byte(i >> 8), 31: 1}
		var err error
		if s.PubKey, err = PublicKey(&secret); err != nil {
			b.Fatal(err)
		}
		s.ID = [32]byte{byte(i), 5: 77}
		if s.Sig, err = Sign(&secret, &s.ID, &[32]byte{}); err != nil {
			b.Fatal(err)
		}
	}
	return sigs
}

// BenchmarkVerifyBatch counts one signature as one operation: with every author
// unknown, every author known, and every author known but one signature bad.
func BenchmarkVerifyBatch(b *testing.B) {
	for _, n := range []int{4, 16, MaxBatch} {
		sigs, ok := benchBatch(b, n), make([]bool, n)
		run := func(name string, v *Verifier, good int) {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				v.VerifyBatch(sigs, ok) // grows what it needs
				b.ResetTimer()
				b.ReportAllocs()
				for i := 0; i < b.N; i += n {
					v.VerifyBatch(sigs, ok)
				}
				valid := 0
				for _, k := range ok {
					if k {
						valid++
					}
				}
				if valid != good {
					b.Fatalf("%d valid signatures, not %d", valid, good)
				}
			})
		}
		run("unknown", NewVerifier(nil), n)
		known := NewVerifier(NewKeys(1 << 16))
		run("known", known, n)
		sigs[n/3].Sig[63] ^= 1
		run("one bad", known, n-1)
	}
}
