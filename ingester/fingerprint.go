package ingester

import (
	"crypto/rand"
	"crypto/sha256"

	"rhea/proto/nostr"
)

// fingerprint binds an id and a signature: the first half of a SHA-256, which a
// secret precedes. The id alone will not do: whoever has seen an event could send
// its id with a signature that is not valid. Half is enough because nobody who does
// not know the secret can look for two that are the same.
type fingerprint [sha256.Size / 2]byte

// secret keys the fingerprints of a process.
type secret [16]byte

func newSecret() (s secret) {
	_, _ = rand.Read(s[:]) // it cannot fail
	return s
}

func (s *secret) fingerprint(e *nostr.Event) fingerprint {
	var all [len(s) + len(e.ID) + len(e.Sig)]byte
	n := copy(all[:], s[:])
	n += copy(all[n:], e.ID[:])
	copy(all[n:], e.Sig[:])
	sum := sha256.Sum256(all[:])
	return fingerprint(sum[:len(fingerprint{})])
}
