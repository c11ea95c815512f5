package schnorr

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
)

// signedBatch returns n valid signatures by up to twelve authors, some of them
// twice over.
func signedBatch(t testing.TB, src *rand.ChaCha8, n int) []Signature {
	t.Helper()
	sigs := make([]Signature, n)
	var secrets [12][32]byte
	for i := range secrets {
		src.Read(secrets[i][:])
	}
	for i := range sigs {
		s, secret := &sigs[i], &secrets[i%len(secrets)]
		if i >= len(secrets) && i%3 == 0 {
			*s = sigs[i-len(secrets)]
			continue
		}
		src.Read(s.ID[:])
		var errKey, errSig error
		s.PubKey, errKey = PublicKey(secret)
		s.Sig, errSig = Sign(secret, &s.ID, &[32]byte{})
		if errKey != nil || errSig != nil {
			t.Fatal(errKey, errSig)
		}
	}
	return sigs
}

// checkBatch fails unless the batch has the verdicts of single verification,
// and returns how many are valid.
func checkBatch(t testing.TB, what string, v *Verifier, sigs []Signature) (valid int) {
	t.Helper()
	ok := make([]bool, len(sigs))
	for i := range ok {
		ok[i] = i%2 == 0 // what was there before must not matter
	}
	v.VerifyBatch(sigs, ok)
	for i := range sigs {
		s := &sigs[i]
		want := decredVerify(&s.PubKey, s.ID[:], &s.Sig)
		if single := v.Verify(s); ok[i] != want || single != want {
			t.Errorf("%s: signature %d of %d: batch %v, single %v, decred %v", what, i, len(sigs), ok[i], single, want)
		}
		if want {
			valid++
		}
	}
	return valid
}

func TestGoodBatches(t *testing.T) {
	src := newSource(t)
	for _, v := range []*Verifier{NewVerifier(nil), NewVerifier(NewKeys(5))} {
		for _, n := range []int{0, 1, 2, 3, 4, 7, 33, 2*MaxBatch + 3} {
			if got := checkBatch(t, "good", v, signedBatch(t, src, n)); got != n {
				t.Errorf("%d of %d valid", got, n)
			}
		}
	}
}

// TestBadAtEveryPosition has one bad signature everywhere, then two, then all.
func TestBadAtEveryPosition(t *testing.T) {
	src := newSource(t)
	v := NewVerifier(NewKeys(7))
	for _, n := range []int{3, 4, 5, 13} {
		sigs := signedBatch(t, src, n)
		spoil := func(i int) { sigs[i].Sig[32+i%32] ^= 1 << (i % 7) }
		for i := range sigs {
			spoil(i)
			if got := checkBatch(t, fmt.Sprint("bad ", i), v, sigs); got != n-1 {
				t.Errorf("%d of %d valid", got, n)
			}
			for j := range i {
				spoil(j)
				ok := make([]bool, n)
				v.VerifyBatch(sigs, ok)
				for k := range ok {
					if ok[k] != (k != i && k != j) {
						t.Errorf("%d and %d of %d bad: %d is %v", i, j, n, k, ok[k])
					}
				}
				spoil(j)
			}
			spoil(i)
		}
		for i := range sigs {
			spoil(i)
		}
		if got := checkBatch(t, "all bad", v, sigs); got != 0 {
			t.Errorf("%d of %d valid", got, n)
		}
	}
}

// addToS adds d to the number s of a signature.
func addToS(sig *[64]byte, d *big.Int) {
	s := new(big.Int).SetBytes(sig[32:])
	s.Add(s, d).Mod(s, oracleN).FillBytes(sig[32:])
}

// TestCrookedBatches has errors that would cancel without weights, and bytes
// that are no numbers or no points, each among good signatures at both ends.
func TestCrookedBatches(t *testing.T) {
	src := newSource(t)
	d := big.NewInt(0x1234567)
	p, n := [32]byte(oracleP.Bytes()), [32]byte(oracleN.Bytes())
	five := [32]byte{31: 5} // no x coordinate of a point
	cases := map[string]struct {
		bad   int
		spoil func(a, b *Signature)
	}{
		"s1+d, s2-d": {2, func(a, b *Signature) {
			addToS(&a.Sig, d)
			addToS(&b.Sig, new(big.Int).Neg(d))
		}},
		"swapped nonces": {2, func(a, b *Signature) {
			ra, rb := [32]byte(a.Sig[:32]), [32]byte(b.Sig[:32])
			copy(a.Sig[:32], rb[:])
			copy(b.Sig[:32], ra[:])
		}},
		"swapped s": {2, func(a, b *Signature) {
			sa, sb := [32]byte(a.Sig[32:]), [32]byte(b.Sig[32:])
			copy(a.Sig[32:], sb[:])
			copy(b.Sig[32:], sa[:])
		}},
		"swapped signatures": {2, func(a, b *Signature) { a.Sig, b.Sig = b.Sig, a.Sig }},
		"swapped authors":    {2, func(a, b *Signature) { a.PubKey, b.PubKey = b.PubKey, a.PubKey }},
		"the same bad twice": {2, func(a, b *Signature) { addToS(&a.Sig, d); *b = *a }},
		"negated s":          {1, func(a, _ *Signature) { a.Sig = negatedS(a.Sig) }},
		"r = p":              {1, func(a, _ *Signature) { copy(a.Sig[:], p[:]) }},
		"s = n":              {1, func(a, _ *Signature) { copy(a.Sig[32:], n[:]) }},
		"key = p":            {1, func(a, _ *Signature) { a.PubKey = p }},
		"key off the curve":  {1, func(a, _ *Signature) { a.PubKey = five }},
		"R off the curve":    {1, func(a, _ *Signature) { copy(a.Sig[:], five[:]) }},
		"all zero":           {2, func(a, b *Signature) { *a, b.Sig = Signature{}, [64]byte{} }},
		"r and s zero, key G": {1, func(a, _ *Signature) {
			oracleG.x.FillBytes(a.PubKey[:])
			a.Sig = [64]byte{}
		}},
		"R has odd y": {1, func(a, _ *Signature) {
			k := big.NewInt(777)
			if oracleG.mul(k).y.Bit(0) == 0 {
				k.Sub(oracleN, k)
			}
			a.PubKey, a.Sig = forge(big.NewInt(99), k, nil, a.ID[:])
		}},
		"R is infinity": {1, func(a, _ *Signature) {
			a.PubKey, a.Sig = forge(big.NewInt(99), new(big.Int), make([]byte, 32), a.ID[:])
		}},
		"R is infinity, x 1": {1, func(a, _ *Signature) {
			one := [32]byte{31: 1}
			a.PubKey, a.Sig = forge(big.NewInt(99), new(big.Int), one[:], a.ID[:])
		}},
	}
	v := NewVerifier(NewKeys(100))
	for name, c := range cases {
		for _, size := range []int{4, 30} {
			for _, at := range [][2]int{{0, 1}, {size - 1, size / 2}} {
				sigs := signedBatch(t, src, size)
				c.spoil(&sigs[at[0]], &sigs[at[1]])
				if got := checkBatch(t, name, v, sigs); got != size-c.bad {
					t.Errorf("%s at %v: %d of %d valid", name, at, got, size)
				}
			}
		}
	}
}

func negatedS(sig [64]byte) [64]byte {
	s := new(big.Int).SetBytes(sig[32:])
	s.Sub(oracleN, s).FillBytes(sig[32:])
	return sig
}

// TestSmallSecrets has keys and nonces that are small multiples of G and each
// other's, all valid: G as a key, R = P, R = −P seen from the sum, the same
// nonce for many.
func TestSmallSecrets(t *testing.T) {
	v := NewVerifier(nil)
	for _, size := range []int{4, 60} {
		sigs := make([]Signature, size)
		for i := range sigs {
			s := &sigs[i]
			s.ID[0] = byte(i)
			k := big.NewInt(int64(1 + i/2%3))
			if oracleG.mul(k).y.Bit(0) == 1 {
				k.Sub(oracleN, k)
			}
			s.PubKey, s.Sig = forge(big.NewInt(int64(1+i%3)), k, nil, s.ID[:])
		}
		if got := checkBatch(t, "small", v, sigs); got != size {
			t.Errorf("%d of %d valid", got, size)
		}
		addToS(&sigs[2].Sig, big.NewInt(1))
		if got := checkBatch(t, "small, one bad", v, sigs); got != size-1 {
			t.Errorf("%d of %d valid with one bad", got, size)
		}
	}
}

// TestWeights shows that a weight depends on everything in the batch and that
// none but the first is predictable.
func TestWeights(t *testing.T) {
	sigs := signedBatch(t, newSource(t), 5)
	weights := func() (w [5][4]uint64) {
		wr := newWeigher()
		wr.start(sigs)
		for i := range w {
			w[i] = wr.weight(i)
		}
		return w
	}
	before := weights()
	seen := map[[4]uint64]bool{}
	for i, w := range before {
		if w[2]|w[3] != 0 || seen[w] || i > 0 && w[1] == 0 {
			t.Errorf("weight %d: %x", i, w)
		}
		seen[w] = true
	}
	for i := range sigs {
		for _, field := range [][]byte{sigs[i].ID[:], sigs[i].PubKey[:], sigs[i].Sig[:32], sigs[i].Sig[32:]} {
			field[31] ^= 1
			for j, w := range weights() {
				if (j == 0) != (w == before[j]) {
					t.Errorf("weight %d with a bit of signature %d flipped: %x, before %x", j, i, w, before[j])
				}
			}
			field[31] ^= 1
		}
	}
}

// TestBatchRemembersAuthors: those of valid signatures alone.
func TestBatchRemembersAuthors(t *testing.T) {
	sigs := signedBatch(t, newSource(t), 9)
	keys := NewKeys(1 << 20)
	sigs[4].Sig[40] ^= 1
	NewVerifier(keys).VerifyBatch(sigs, make([]bool, len(sigs)))
	for i := range sigs {
		key := keys.slot(&sigs[i].PubKey).Load()
		if remembered := key != nil && key.bytes == sigs[i].PubKey; remembered != (i != 4) {
			t.Errorf("author %d is remembered: %v", i, remembered)
		}
	}
}

// TestBatchDoesNotAllocate once the room has grown and the authors are known.
func TestBatchDoesNotAllocate(t *testing.T) {
	sigs := signedBatch(t, newSource(t), 64)
	v, ok := NewVerifier(NewKeys(1<<16)), make([]bool, 64)
	v.VerifyBatch(sigs, ok)
	if n := testing.AllocsPerRun(3, func() { v.VerifyBatch(sigs, ok) }); n > 1 {
		t.Errorf("%v allocations for 64 signatures", n)
	}
}

// FuzzBatch spoils a batch of valid signatures with pairs of place and value.
func FuzzBatch(f *testing.F) {
	sigs := signedBatch(f, rand.NewChaCha8([32]byte{}), 14)
	f.Add([]byte{0, 0, 1})
	f.Add([]byte{3, 70, 1, 7, 100, 255, 7, 20, 3})
	v := NewVerifier(NewKeys(4))
	f.Fuzz(func(t *testing.T, data []byte) {
		batch := append([]Signature(nil), sigs...)
		for ; len(data) >= 3; data = data[3:] {
			s := &batch[int(data[0])%len(batch)]
			switch at := int(data[1]) % 130; {
			case at == 128:
				s.Sig = batch[int(data[2])%len(batch)].Sig
			case at == 129:
				*s = batch[int(data[2])%len(batch)]
			case at < 32:
				s.ID[at] ^= data[2]
			case at < 64:
				s.PubKey[at-32] ^= data[2]
			default:
				s.Sig[at-64] ^= data[2]
			}
		}
		checkBatch(t, "fuzzed", v, batch)
	})
}
