package schnorr

import "testing"

// TestBatchIsSingle spoils one signature of a batch at every position.
func TestBatchIsSingle(t *testing.T) {
	src := newSource(t)
	v := NewVerifier(NewKeys(3))
	var sigs []Signature
	for range 5 {
		s := randomSigned(t, src, 32)
		sigs = append(sigs, Signature{ID: [32]byte(s.msg), PubKey: s.pubkey, Sig: s.sig})
	}
	ok := make([]bool, len(sigs))
	for bad := range sigs {
		sigs[bad].Sig[40] ^= 1
		v.VerifyBatch(sigs, ok)
		for i, got := range ok {
			if got != (i != bad) {
				t.Errorf("number %d spoilt: number %d is %v", bad, i, got)
			}
		}
		sigs[bad].Sig[40] ^= 1
	}
}
