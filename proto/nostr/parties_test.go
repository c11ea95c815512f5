package nostr

import (
	"math/rand/v2"
	"testing"
)

// Parties and Access say the same.
func TestPartiesLikeAccess(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	key := func() (pk PubKey) {
		pk[rng.IntN(2)*31] = byte(rng.IntN(10)) // few keys, alike in their first bytes
		return pk
	}
	included := 0
	for range 5000 {
		e := &Event{PubKey: key(), Kind: 4}
		for range rng.IntN(5) {
			e.Tags = append(e.Tags, Tag{[]string{"p", "P", "e"}[rng.IntN(3)], []string{key().String(), "x", ""}[rng.IntN(3)]})
		}
		h := AppendHeader(nil, e)
		access := Access{Private: []Kind{4}}
		for range rng.IntN(3) {
			access.Keys = append(access.Keys, key())
		}
		got, want := h.Parties().Include(access.Keys), access.Allows(h)
		if got != want {
			t.Fatalf("event %+v, keys %v: %v, want %v", e, access.Keys, got, want)
		}
		if got {
			included++
		}
	}
	if included < 100 || included > 4900 {
		t.Errorf("%d included: the test tests little", included)
	}
}
