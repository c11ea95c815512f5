package e2e

import (
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	btcschnorr "github.com/btcsuite/btcd/btcec/v2/schnorr"

	"rhea/proto/schnorr"
)

// Signatures are judged as an independent implementation of BIP-340 judges them:
// good ones of both, and those spoilt in one bit anywhere.
func TestSignaturesAgreeWithBtcec(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	fill := func(b []byte) {
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
	}
	theirs := func(key *[32]byte, msg []byte, sig *[64]byte) bool {
		pub, err := btcschnorr.ParsePubKey(key[:])
		if err != nil {
			return false
		}
		s, err := btcschnorr.ParseSignature(sig[:])
		return err == nil && s.Verify(msg, pub)
	}
	good, bad := 0, 0
	for range 300 {
		var secret, msg, aux [32]byte
		fill(secret[:])
		fill(msg[:])
		fill(aux[:])
		key, err := schnorr.PublicKey(&secret)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := schnorr.Sign(&secret, &msg, &aux)
		if err != nil {
			t.Fatal(err)
		}
		if rng.IntN(2) == 0 {
			private, _ := btcec.PrivKeyFromBytes(secret[:])
			s, err := btcschnorr.Sign(private, msg[:])
			if err != nil {
				t.Fatal(err)
			}
			sig = [64]byte(s.Serialize())
		}
		if rng.IntN(2) == 0 {
			switch bit := byte(1) << rng.IntN(8); rng.IntN(3) {
			case 0:
				key[rng.IntN(32)] ^= bit
			case 1:
				msg[rng.IntN(32)] ^= bit
			default:
				sig[rng.IntN(64)] ^= bit
			}
		}
		ours := schnorr.Verify(&key, msg[:], &sig)
		if ours != theirs(&key, msg[:], &sig) {
			t.Fatalf("key %x msg %x sig %x: we say %v", key, msg, sig, ours)
		}
		if ours {
			good++
		} else {
			bad++
		}
	}
	t.Logf("%d good, %d bad", good, bad)
	if good == 0 || bad == 0 {
		t.Error("one kind was missing")
	}
}
