package schnorr

import "crypto/sha256"

// tag is the prefix SHA256(name) ‖ SHA256(name) that sets the hashes of one
// purpose apart from those of all others (BIP-340, "Tagged Hashes").
//
// Its 64 bytes are one block of SHA-256, so the state after it could be kept
// instead of the prefix. Restoring a marshalled state was measured slower than
// hashing that block: 220 against 197 ns for a challenge.
type tag [2 * sha256.Size]byte

var (
	tagAux       = newTag("BIP0340/aux")
	tagNonce     = newTag("BIP0340/nonce")
	tagChallenge = newTag("BIP0340/challenge")
)

func newTag(name string) (t tag) {
	h := sha256.Sum256([]byte(name))
	copy(t[:sha256.Size], h[:])
	copy(t[sha256.Size:], h[:])
	return t
}

// hash is hash_name(a ‖ b ‖ c) in the notation of BIP-340. Absent parts are
// nil.
func (t *tag) hash(a, b, c []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write(t[:])
	h.Write(a)
	h.Write(b)
	h.Write(c)
	h.Sum(sum[:0])
	return sum
}
