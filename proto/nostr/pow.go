package nostr

import (
	"math"
	"math/bits"
	"strconv"
)

// Difficulty is the number of leading zero bits of the id, 0 to 256: the work that
// it shows (NIP-13).
func (id EventID) Difficulty() int {
	n := 0
	for _, b := range id {
		n += bits.LeadingZeros8(b)
		if b != 0 {
			break
		}
	}
	return n
}

// WorkTarget returns the difficulty that the author has committed to, in the third
// element of the first nonce tag (NIP-13), and whether there is that element. A
// target that is no number in decimal digits is -1.
func (e *Event) WorkTarget() (target int, given bool) {
	for _, tag := range e.Tags {
		if len(tag) == 0 || tag[0] != "nonce" {
			continue
		}
		if len(tag) < 3 {
			return 0, false
		}
		n, err := strconv.ParseUint(tag[2], 10, 64)
		if err != nil || n > math.MaxInt {
			return -1, true
		}
		return int(n), true
	}
	return 0, false
}
