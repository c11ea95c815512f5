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

// seen remembers fingerprints of events whose signature is valid, in two
// generations: when the young one holds half of what may be remembered, it
// becomes the old one and the old one is forgotten. What is met in the old one
// moves to the young one. The zero value remembers nothing.
type seen struct {
	half       int
	young, old map[fingerprint]struct{}
}

func newSeen(events int) *seen {
	return &seen{half: (events + 1) / 2, young: make(map[fingerprint]struct{}), old: make(map[fingerprint]struct{})}
}

// has reports whether f is remembered.
func (s *seen) has(f fingerprint) bool {
	if _, ok := s.young[f]; ok {
		return true
	}
	_, ok := s.old[f]
	if ok {
		s.add(f)
	}
	return ok
}

// add remembers f.
func (s *seen) add(f fingerprint) {
	if s.half == 0 {
		return
	}
	if len(s.young) >= s.half {
		clear(s.old)
		s.young, s.old = s.old, s.young
	}
	s.young[f] = struct{}{}
}

// size is how many fingerprints are remembered, counting twice those that stand
// in both generations.
func (s *seen) size() int { return len(s.young) + len(s.old) }
