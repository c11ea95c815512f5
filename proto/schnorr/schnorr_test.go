package schnorr

import (
	"bytes"
	"errors"
	"math/big"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"rhea/proto/schnorr/secp"
)

type signed struct {
	secret, pubkey [32]byte
	msg            []byte
	sig            [64]byte
}

// newSource returns a random source whose seed a failing run prints.
func newSource(t testing.TB) *rand.ChaCha8 {
	t.Helper()
	var seed [32]byte
	n := uint64(time.Now().UnixNano())
	for i := range 8 {
		seed[i] = byte(n >> (8 * i))
	}
	t.Logf("seed %x", seed)
	return rand.NewChaCha8(seed)
}

// randomSigned signs n random bytes and fails unless the oracle makes the same
// signature.
func randomSigned(t testing.TB, src *rand.ChaCha8, n int) signed {
	t.Helper()
	var s signed
	var aux [32]byte
	s.msg = make([]byte, n)
	src.Read(s.secret[:])
	src.Read(aux[:])
	src.Read(s.msg)
	var err error
	if s.pubkey, err = PublicKey(&s.secret); err != nil {
		t.Fatal(err)
	}
	if s.sig, err = sign(&s.secret, s.msg, &aux); err != nil {
		t.Fatal(err)
	}
	pubkey, sig := oracleSign(&s.secret, s.msg, &aux)
	if s.pubkey != pubkey || s.sig != sig {
		t.Fatalf("secret %x msg %x aux %x: pubkey %x, signature %x; the oracle has %x, %x",
			s.secret, s.msg, aux, s.pubkey, s.sig, pubkey, sig)
	}
	return s
}

func TestSignThenVerify(t *testing.T) {
	src := newSource(t)
	v := NewKeys(3)
	for _, n := range []int{0, 1, 17, 31, 32, 33, 64, 100, 1000} {
		for range 4 {
			s := randomSigned(t, src, n)
			for range 2 { // the second time with the key remembered
				if !Verify(&s.pubkey, s.msg, &s.sig) || !v.Verify(&s.pubkey, s.msg, &s.sig) {
					t.Fatalf("valid signature refused: %+v", s)
				}
			}
			if n == 32 {
				msg, zero := [32]byte(s.msg), [32]byte{}
				sig, err := Sign(&s.secret, &msg, &zero)
				if err != nil || !Verify(&s.pubkey, msg[:], &sig) || sig == s.sig {
					t.Fatalf("Sign with another aux: %x, %v", sig, err)
				}
			}
		}
	}
}

func TestEveryBitCounts(t *testing.T) {
	s := randomSigned(t, newSource(t), 32)
	v := NewKeys(1)
	if !v.Verify(&s.pubkey, s.msg, &s.sig) {
		t.Fatal("valid signature refused")
	}
	for name, field := range map[string][]byte{"signature": s.sig[:], "public key": s.pubkey[:], "message": s.msg} {
		for bit := range 8 * len(field) {
			field[bit/8] ^= 1 << (bit % 8)
			if Verify(&s.pubkey, s.msg, &s.sig) || v.Verify(&s.pubkey, s.msg, &s.sig) {
				t.Errorf("accepted with bit %d of the %s flipped", bit, name)
			}
			field[bit/8] ^= 1 << (bit % 8)
		}
	}
	if Verify(&s.pubkey, append(s.msg, 0), &s.sig) || Verify(&s.pubkey, s.msg[:31], &s.sig) {
		t.Error("accepted with the length of the message changed")
	}
	if !v.Verify(&s.pubkey, s.msg, &s.sig) {
		t.Error("valid signature refused in the end")
	}
}

// forge returns the signature of msg by the secret d whose R is k·G whatever
// the parity of its y coordinate, with rx in place of R's x coordinate if that
// is not nil. It satisfies s·G − e·P = k·G.
func forge(d, k *big.Int, rx, msg []byte) (pubkey [32]byte, sig [64]byte) {
	p := oracleG.mul(d)
	if p.y.Bit(0) == 1 {
		d = new(big.Int).Sub(oracleN, d)
	}
	p.x.FillBytes(pubkey[:])
	if rx == nil {
		rx = oracleG.mul(k).x.FillBytes(make([]byte, 32))
	}
	copy(sig[:32], rx)
	s := oracleChallenge(rx, pubkey[:], msg)
	s.Mul(s, d).Add(s, k).Mod(s, oracleN).FillBytes(sig[32:])
	return pubkey, sig
}

func TestRefusedForms(t *testing.T) {
	msg := bytes.Repeat([]byte{0x5a}, 32)
	d := big.NewInt(12345)
	zero32 := make([]byte, 32)
	refuse := func(name string, pubkey [32]byte, sig [64]byte) {
		t.Helper()
		if Verify(&pubkey, msg, &sig) || NewKeys(1).Verify(&pubkey, msg, &sig) {
			t.Errorf("%s: accepted", name)
		}
		if oracleVerify(&pubkey, msg, &sig) {
			t.Errorf("%s: the oracle accepts, so the case is wrong", name)
		}
	}

	// R with even y is a signature, its mirror image is not.
	k := big.NewInt(777)
	if oracleG.mul(k).y.Bit(0) == 1 {
		k.Sub(oracleN, k)
	}
	pubkey, sig := forge(d, k, nil, msg)
	if !Verify(&pubkey, msg, &sig) {
		t.Fatal("valid signature refused")
	}
	_, odd := forge(d, new(big.Int).Sub(oracleN, k), nil, msg)
	refuse("R has odd y", pubkey, odd)

	// s·G = e·P, for the values of r that an implementation may give infinity.
	for _, x := range []byte{0, 1} {
		rx := append(zero32[:31:31], x)
		_, inf := forge(d, new(big.Int), rx, msg)
		refuse("R is infinity", pubkey, inf)
	}

	all := [64]byte(bytes.Repeat([]byte{0xff}, 64))
	refuse("all ones", pubkey, all)
	refuse("all zero", pubkey, [64]byte{})
	refuse("public key 0 is not on the curve", [32]byte{}, sig)
	refuse("public key 5 is not on the curve", [32]byte{31: 5}, sig)

	negated := sig
	s := new(big.Int).SetBytes(sig[32:])
	s.Sub(oracleN, s).FillBytes(negated[32:])
	refuse("negated s", pubkey, negated)
}

// TestNothingIsReduced looks at the parsed numbers: a signature that would be
// valid if r, s or the key were reduced first cannot be made without breaking
// the scheme, so Verify answers false with or without the range checks.
func TestNothingIsReduced(t *testing.T) {
	bytesOf := func(n *big.Int, add int64) (b [32]byte) {
		new(big.Int).Add(n, big.NewInt(add)).FillBytes(b[:])
		return b
	}
	for _, add := range []int64{-1, 0, 1, 2, 3, 4} {
		below := add < 0
		r, s := bytesOf(oracleP, add), bytesOf(oracleN, add)
		var rHigh, sHigh [64]byte
		copy(rHigh[:32], r[:])
		copy(sHigh[32:], s[:])
		if _, _, ok := parse(&rHigh); ok != below {
			t.Errorf("r = p%+d: parse says %v", add, ok)
		}
		if _, _, ok := parse(&sHigh); ok != below {
			t.Errorf("s = n%+d: parse says %v", add, ok)
		}
	}
	// 1, 2, 3 and 4 are x coordinates of points, p+1 to p+4 are none.
	for x := int64(1); x <= 4; x++ {
		var p secp.Affine
		low, high := bytesOf(new(big.Int), x), bytesOf(oracleP, x)
		if !p.LiftX(&low) {
			t.Errorf("no point at x = %d", x)
		}
		if p.LiftX(&high) {
			t.Errorf("a point at x = p+%d", x)
		}
	}
}

func TestSecretOutOfRange(t *testing.T) {
	var n, ones, msg, aux [32]byte
	oracleN.FillBytes(n[:])
	copy(ones[:], bytes.Repeat([]byte{0xff}, 32))
	for _, secret := range [][32]byte{{}, n, ones} {
		if _, err := PublicKey(&secret); !errors.Is(err, ErrSecret) {
			t.Errorf("PublicKey(%x): %v, want ErrSecret", secret, err)
		}
		if sig, err := Sign(&secret, &msg, &aux); !errors.Is(err, ErrSecret) || sig != [64]byte{} {
			t.Errorf("Sign(%x): %x, %v, want ErrSecret", secret, sig, err)
		}
	}
	n[31]-- // n − 1 is the largest secret, and has the public key of 1
	one := [32]byte{31: 1}
	a, errA := PublicKey(&n)
	b, errB := PublicKey(&one)
	if errA != nil || errB != nil || a != b {
		t.Errorf("PublicKey of n−1 and 1: %x %v, %x %v", a, errA, b, errB)
	}
}

// TestKeysConcurrent has more authors than slots and several goroutines,
// so that keys replace each other under the readers.
func TestKeysConcurrent(t *testing.T) {
	src := newSource(t)
	var all []signed
	for range 6 {
		all = append(all, randomSigned(t, src, 32))
	}
	for _, v := range []*Keys{{}, NewKeys(-1), NewKeys(1), NewKeys(2), NewKeys(100)} {
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for i := range 4 * len(all) {
					s, other := &all[i%len(all)], &all[(i+1)%len(all)]
					if !v.Verify(&s.pubkey, s.msg, &s.sig) {
						t.Errorf("valid signature refused with %d slots", len(v.slots))
					}
					if v.Verify(&other.pubkey, s.msg, &s.sig) {
						t.Errorf("signature of another accepted with %d slots", len(v.slots))
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestForgeryTakesNoSlot(t *testing.T) {
	s := randomSigned(t, newSource(t), 32)
	v := NewKeys(1)
	s.sig[63] ^= 1
	v.Verify(&s.pubkey, s.msg, &s.sig)
	if v.slots[0].Load() != nil {
		t.Error("the author of an invalid signature was remembered")
	}
	s.sig[63] ^= 1
	v.Verify(&s.pubkey, s.msg, &s.sig)
	if key := v.slots[0].Load(); key == nil || key.bytes != s.pubkey {
		t.Error("the author of a valid signature was not remembered")
	}
}

// FuzzVerify takes 96 bytes of key and signature and the rest as the message,
// and compares with the oracle.
func FuzzVerify(f *testing.F) {
	src := rand.NewChaCha8([32]byte{}) // fuzzing processes must agree on the seeds
	for _, n := range []int{0, 32, 100} {
		s := randomSigned(f, src, n)
		f.Add(append(append(append([]byte{}, s.pubkey[:]...), s.sig[:]...), s.msg...))
	}
	f.Add(make([]byte, 96))
	f.Add(bytes.Repeat([]byte{0xff}, 128))
	v := NewKeys(4)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 96 {
			return
		}
		pubkey, sig, msg := [32]byte(data[:32]), [64]byte(data[32:96]), data[96:]
		got := Verify(&pubkey, msg, &sig)
		if cached := v.Verify(&pubkey, msg, &sig); cached != got {
			t.Errorf("Keys %v, Verify %v", cached, got)
		}
		if want := oracleVerify(&pubkey, msg, &sig); want != got {
			t.Errorf("Verify %v, oracle %v", got, want)
		}
		if want := decredVerify(&pubkey, msg, &sig); want != got {
			t.Errorf("Verify %v, decred %v", got, want)
		}
	})
}
