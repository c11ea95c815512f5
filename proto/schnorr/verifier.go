package schnorr

import "rhea/proto/schnorr/secp"

// MaxBatch is the number of signatures that VerifyBatch settles at a time.
// Nothing is gained by more: 16 µs for each, as at 256.
const MaxBatch = 64

// alone is the number of signatures up to which verifying each by itself is
// as cheap as a batch.
const alone = 2

// Signature is one signature to verify: Sig by PubKey over the 32 bytes of ID.
type Signature struct {
	ID, PubKey [32]byte
	Sig        [64]byte
}

// Verifier verifies signatures, many at once for less than one at a time. It
// owns the room in which it works, up to 0.35 MB with batches of MaxBatch, so it
// is not safe for concurrent use: there is one per goroutine, all sharing their
// Keys. It does not allocate once it has seen its largest batch, but for
// authors new to the Keys.
type Verifier struct {
	keys    *Keys
	adder   secp.Adder
	weigher weigher
	entries []entry
	authors []author
	lifts   lifts
	byKey   map[[32]byte]int
}

// NewVerifier returns a Verifier that looks for authors in keys, which may be
// nil, and remembers new ones there.
func NewVerifier(keys *Keys) *Verifier {
	return &Verifier{keys: keys, weigher: newWeigher(), byKey: make(map[[32]byte]int)}
}

// Verify reports what the function Verify reports.
func (v *Verifier) Verify(s *Signature) bool {
	return v.keys.Verify(&s.PubKey, s.ID[:], &s.Sig)
}

// VerifyBatch sets ok[i] to what Verify reports of sigs[i], for every i. It
// takes any number of signatures and works on MaxBatch of them at a time. ok
// is as long as sigs.
//
// It is the batch verification of BIP-340: with weights a₁ = 1 and aᵢ of 128
// bits, which nobody can know before all signatures are fixed, the sum of all
// aᵢ·(sᵢ·G − Rᵢ − eᵢ·Pᵢ) is infinity if every signature is valid, and otherwise
// with a chance of 2⁻¹²⁸. A batch that fails is halved until the bad ones stand
// alone: each costs up to 2·log₂(MaxBatch) smaller sums, so who sends bad
// signatures is better verified alone from then on.
func (v *Verifier) VerifyBatch(sigs []Signature, ok []bool) {
	ok = ok[:len(sigs)]
	for len(sigs) > MaxBatch {
		v.verifyPiece(sigs[:MaxBatch], ok[:MaxBatch])
		sigs, ok = sigs[MaxBatch:], ok[MaxBatch:]
	}
	v.verifyPiece(sigs, ok)
}

func (v *Verifier) verifyPiece(sigs []Signature, ok []bool) {
	clear(ok)
	if len(sigs) > alone {
		v.prepare(sigs)
		v.settle(v.entries, ok)
		return
	}
	for i := range sigs {
		ok[i] = v.Verify(&sigs[i])
	}
}

// settle decides the entries and reports whether all are valid.
func (v *Verifier) settle(entries []entry, ok []bool) bool {
	if len(entries) <= alone {
		all := true
		for i := range entries {
			e := &entries[i]
			ok[e.index] = v.verifyEntry(e)
			all = all && ok[e.index]
		}
		return all
	}
	if v.sumIsZero(entries) {
		for i := range entries {
			ok[entries[i].index] = true
			v.remember(entries[i].author)
		}
		return true
	}
	v.halve(entries, ok)
	return false
}

// halve settles entries of which at least one is invalid. If none is in the
// first half, the second need not be summed to know that one is there.
func (v *Verifier) halve(entries []entry, ok []bool) {
	first, second := entries[:len(entries)/2], entries[len(entries)/2:]
	if v.settle(first, ok) && len(second) > alone {
		v.halve(second, ok)
	} else {
		v.settle(second, ok)
	}
}
