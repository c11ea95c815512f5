package store

import (
	"rhea/proto/nostr"
)

// The kinds that requests to remove something are about.
const (
	kindDeletion nostr.Kind = 5    // NIP-09
	kindVanish   nostr.Kind = 62   // NIP-62
	kindGiftWrap nostr.Kind = 1059 // NIP-59: belongs to whom it is for
)

// vanishing is the requests to vanish (NIP-62) that are still being carried out:
// for each author the created_at up to which everything goes. One that a view
// has is never changed. The zero value is empty.
type vanishing map[nostr.PubKey]int64

// covers reports whether the event of h goes, or has gone: it is by such an
// author, or a gift wrap for one.
func (v vanishing) covers(h nostr.Header) bool {
	if len(v) == 0 || h.Kind() == kindVanish {
		return false
	}
	if v.reaches(h.PubKey(), h) {
		return true
	}
	if h.Kind() == kindGiftWrap {
		for name, value := range h.Tags() {
			if b, packed := value.Packed(); name == 'p' && packed && v.reaches(nostr.PubKey(b), h) {
				return true
			}
		}
	}
	return false
}

func (v vanishing) reaches(pk nostr.PubKey, h nostr.Header) bool {
	until, ok := v[pk]
	return ok && h.CreatedAt() <= until
}
