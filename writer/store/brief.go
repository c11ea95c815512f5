package store

import (
	"encoding/binary"
	"slices"

	"rhea/proto/nostr"
)

// A brief is the value of a key in the keyspaces all and tag. It says of the event what
// filters ask for most beside what the key itself says, so that readers need not read
// those that it rules out:
//
//	tag  kind (2)
//	all  kind (2), first 8 bytes of the pubkey
//
// Keys that a build before format 4 has set have none, and rule nothing out.
const (
	kindBriefLen   = 2
	authorBriefLen = kindBriefLen + 8
)

func appendKindBrief(dst []byte, k nostr.Kind) []byte {
	return binary.BigEndian.AppendUint16(dst, uint16(k))
}

func appendAuthorBrief(dst []byte, k nostr.Kind, pk nostr.PubKey) []byte {
	return append(appendKindBrief(dst, k), pk[:8]...)
}

// sieve keeps back the entries of an index that a filter cannot match, by their
// briefs.
type sieve struct {
	kinds   []nostr.Kind // sorted; nil: any
	authors []nostr.PubKey
	// Of the authors, by their first bytes, one bit in 64 for each: most of those who
	// are not among them are told so by one look.
	bits []uint64
}

// maxSifted is how many entries are kept back at a stretch. The next one is let
// through, to be read in vain, so that a slice that finds nothing gets on, and ends.
const maxSifted = 1000

// sieveOf returns the sieve for the entries that an access to a filter leads to, nil if
// they need none.
func sieveOf(f *nostr.Filter, a access) *sieve {
	switch {
	case a.index == spaceTag && f.Kinds != nil:
		return newSieve(f.Kinds, nil)
	case a.index == spaceAll && (f.Kinds != nil || f.Authors != nil):
		return newSieve(f.Kinds, f.Authors)
	}
	return nil
}

// decides reports whether what the sieve lets through matches the filter, but for
// entries without a brief and authors who begin alike.
func (s *sieve) decides(f *nostr.Filter) bool {
	if s == nil || f.IDs != nil {
		return false
	}
	if s.authors != nil {
		return f.Tags == nil
	}
	return f.Authors == nil && len(f.Tags) <= 1
}

func newSieve(kinds []nostr.Kind, authors []nostr.PubKey) *sieve {
	s := &sieve{kinds: kinds, authors: authors}
	if len(authors) > 0 {
		words := 1
		for words < len(authors) {
			words *= 2
		}
		s.bits = make([]uint64, words)
		for i := range authors {
			word, bit := s.bit(binary.BigEndian.Uint64(authors[i][:]))
			*word |= bit
		}
	}
	return s
}

func (s *sieve) bit(author uint64) (word *uint64, bit uint64) {
	return &s.bits[author>>6&uint64(len(s.bits)-1)], 1 << (author & 63)
}

// lets reports whether the filter may match the event with a brief. False is certain.
func (s *sieve) lets(brief []byte) bool {
	if len(brief) < kindBriefLen {
		return true
	}
	if s.kinds != nil && !slices.Contains(s.kinds, nostr.Kind(binary.BigEndian.Uint16(brief))) {
		return false
	}
	if len(s.authors) == 0 || len(brief) < authorBriefLen {
		return true
	}
	author := binary.BigEndian.Uint64(brief[kindBriefLen:])
	if word, bit := s.bit(author); *word&bit == 0 {
		return false
	}
	_, found := slices.BinarySearchFunc(s.authors, author, func(pk nostr.PubKey, author uint64) int {
		switch first := binary.BigEndian.Uint64(pk[:]); {
		case first < author:
			return -1
		case first > author:
			return 1
		}
		return 0
	})
	return found
}
