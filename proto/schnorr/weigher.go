package schnorr

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"rhea/proto/schnorr/secp"
)

// weigher makes the weights of a batch: SHA-256 in counter mode from a seed
// that is the hash of everything in the batch, as BIP-340 demands of a
// deterministic source, so no signature can be chosen with its weight in view.
type weigher struct {
	hash  hash.Hash
	seed  [sha256.Size + 8]byte // the hash and the counter
	block [sha256.Size]byte
}

func newWeigher() weigher { return weigher{hash: sha256.New()} }

// start takes the seed from the signatures of the batch.
func (w *weigher) start(sigs []Signature) {
	w.hash.Reset()
	for i := range sigs {
		s := &sigs[i]
		w.hash.Write(s.PubKey[:])
		w.hash.Write(s.ID[:])
		w.hash.Write(s.Sig[:])
	}
	w.hash.Sum(w.seed[:0])
}

// weight returns weight number i, below 2¹²⁸; number 0 is 1. They are asked for
// in order.
func (w *weigher) weight(i int) secp.Scalar {
	if i == 0 {
		return secp.Scalar{1}
	}
	if i%2 == 1 {
		binary.LittleEndian.PutUint64(w.seed[sha256.Size:], uint64(i))
		w.block = sha256.Sum256(w.seed[:])
	}
	b := w.block[(i-1)%2*16:]
	return secp.Scalar{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
}
