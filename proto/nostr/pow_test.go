package nostr_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"

	"rhea/proto/nostr"
)

// The example of NIP-13.
const mined = `{"id":"000006d8c378af1779d2feebc7603a125d99eca0ccf1085959b307f64e5dd358",` +
	`"pubkey":"a48380f4cfcc1ad5378294fcac36439770f9c878dd880ffa94bb74ea54a6f243","created_at":1651794653,"kind":1,` +
	`"tags":[["nonce","776797","20"]],"content":"It's just me mining my own business",` +
	`"sig":"284622fc0a3f4f1303455d5175f7ba962a3300d136085b9566801bc2e0699de0c7e31e44c81fb40ad9049173742e904713c3594a1da0fc5d2382a25c11aba977"}`

func TestMinedNote(t *testing.T) {
	e, err := nostr.ParseEvent([]byte(mined), nostr.EventLimits{})
	if err != nil {
		t.Fatal(err)
	}
	target, given := e.WorkTarget()
	if e.ComputeID() != e.ID || e.ID.Difficulty() != 21 || target != 20 || !given {
		t.Errorf("difficulty %d, target %d (given: %v)", e.ID.Difficulty(), target, given)
	}
}

func TestDifficulty(t *testing.T) {
	for text, want := range map[string]int{
		"000000000e9d97a1ab09fc381030b346cdd7a142ad57e6df0b46dc9bef6c7e2d": 36,
		"002f000000000000000000000000000000000000000000000000000000000000": 10,
		"8000000000000000000000000000000000000000000000000000000000000000": 0,
		"0000000000000000000000000000000000000000000000000000000000000000": 256,
	} {
		id, err := nostr.ParseEventID(text)
		if err != nil || id.Difficulty() != want {
			t.Errorf("%s: %d (%v), want %d", text, id.Difficulty(), err, want)
		}
	}
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 1000 {
		var id nostr.EventID
		for i := rng.IntN(len(id)); i < len(id); i++ {
			id[i] = byte(rng.Uint32()) >> rng.IntN(9)
		}
		if want := 256 - new(big.Int).SetBytes(id[:]).BitLen(); id.Difficulty() != want {
			t.Fatalf("seed %d: %s: %d, want %d", seed, id, id.Difficulty(), want)
		}
	}
}

func TestWorkTarget(t *testing.T) {
	for _, c := range []struct {
		tags []nostr.Tag
		want string
	}{
		{nil, "0 false"},
		{[]nostr.Tag{{"nonce"}}, "0 false"},
		{[]nostr.Tag{{"nonce", "1"}, {"nonce", "1", "20"}}, "0 false"},
		{[]nostr.Tag{{"t", "1", "9"}, {"nonce", "1", "20", "x"}, {"nonce", "1", "30"}}, "20 true"},
		{[]nostr.Tag{{"nonce", "1", "0"}}, "0 true"},
		{[]nostr.Tag{{"nonce", "1", ""}}, "-1 true"},
		{[]nostr.Tag{{"nonce", "1", "+20"}}, "-1 true"},
		{[]nostr.Tag{{"nonce", "1", "20.0"}}, "-1 true"},
		{[]nostr.Tag{{"nonce", "1", "-5"}}, "-1 true"},
		{[]nostr.Tag{{"nonce", "1", "9223372036854775808"}}, "-1 true"},
	} {
		e := nostr.Event{Tags: c.tags}
		if got := fmt.Sprint(e.WorkTarget()); got != c.want {
			t.Errorf("%q: %s, want %s", c.tags, got, c.want)
		}
	}
}
