package nostr

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// naiveAdd follows the text of NIP-45 digit by digit.
func naiveAdd(registers map[byte]int, pk PubKey, offset int) {
	bits := ""
	for _, b := range pk[offset+1:] {
		bits += fmt.Sprintf("%08b", b)
	}
	rank := strings.IndexByte(bits+"1", '1') + 1
	registers[pk[offset]] = max(registers[pk[offset]], rank)
}

func TestRegisters(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for offset := 8; offset < 24; offset++ {
		want := map[byte]int{}
		var whole Registers
		var parts [3]Registers
		for range 500 {
			var pk PubKey
			// Few bytes that are not zero, so that every rank occurs.
			for range rng.IntN(6) {
				pk[rng.IntN(len(pk))] = byte(rng.Uint32()) >> rng.IntN(8)
			}
			pk[offset] = byte(rng.IntN(40))
			naiveAdd(want, pk, offset)
			whole.Add(pk, offset)
			parts[rng.IntN(len(parts))].Add(pk, offset)
		}
		for i, v := range whole {
			if int(v) != want[byte(i)] {
				t.Fatalf("offset %d: register %d is %d, want %d", offset, i, v, want[byte(i)])
			}
		}
		parts[0].Merge(&parts[1])
		parts[0].Merge(&parts[2])
		if parts[0] != whole {
			t.Fatalf("offset %d: the parts together are not the whole", offset)
		}
	}
	var none Registers
	for _, offset := range []int{-1, 0, 7, 24, 31, 32, 1 << 40} {
		none.Add(PubKey{}, offset)
	}
	if none != (Registers{}) {
		t.Error("an offset out of bounds was counted")
	}
}

func TestHLLOffset(t *testing.T) {
	key := strings.Repeat("0", 32) + "a" + strings.Repeat("0", 31) // the digit at 32 is a
	hashed := func(s string) int {
		sum := sha256.Sum256([]byte(s))
		n, _ := strconv.ParseInt(hex.EncodeToString(sum[:])[32:33], 16, 64)
		return int(n) + 8
	}
	for filter, want := range map[string]int{
		`{"#p":["` + key + `"],"kinds":[3]}`:                       18,
		`{"#e":["` + strings.Repeat("f", 64) + `","` + key + `"]}`: 23,
		`{"#e":["` + key + `","` + strings.Repeat("0", 64) + `"]}`: 18, // the first, not the least
		`{"#t":["x"],"#p":["` + key + `"]}`:                        hashed("x"),
		`{"#a":["30023:` + key + `:a:b"]}`:                         18,
		`{"#a":["10002:` + key + `:"]}`:                            18,
		`{"#a":["30023:` + key + `"]}`:                             hashed("30023:" + key),
		`{"#a":["x:` + key + `:"]}`:                                hashed("x:" + key + ":"),
		`{"#d":["1:` + strings.ToUpper(key) + `:"]}`:               hashed("1:" + strings.ToUpper(key) + ":"),
		`{"#d":[""]}`:                    hashed(""),
		`{"#d":["\n:"]}`:                 hashed("\n:"),
		`{"#e":[]}`:                      0,
		`{"#e":[],"#p":["` + key + `"]}`: 0,
		`{"kinds":[3]}`:                  0,
		`{}`:                             0,
	} {
		f, err := ParseFilter([]byte(filter), FilterLimits{})
		if err != nil {
			t.Fatal(err)
		}
		if got := f.HLLOffset(); got != want {
			t.Errorf("%s: %d, want %d", filter, got, want)
		}
	}
}
