package nostr

// NPub returns the key as people pass it on: bech32 with the prefix npub
// (NIP-19).
func (pk PubKey) NPub() string {
	const prefix = "npub"
	groups := fiveBits(pk[:])
	text := append(make([]byte, 0, len(prefix)+1+len(groups)+6), prefix+"1"...)
	sum := bech32Sum(prefix, groups)
	for _, g := range append(groups, sum[:]...) {
		text = append(text, bech32Alphabet[g])
	}
	return string(text)
}

// bech32Alphabet writes five bits as one character (BIP-173).
const bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

// fiveBits cuts bytes into groups of five bits, the last one filled with zeros.
func fiveBits(bytes []byte) []byte {
	groups := make([]byte, 0, len(bytes)*8/5+7)
	var held, bits uint
	for _, b := range bytes {
		held, bits = held<<8|uint(b), bits+8
		for ; bits >= 5; bits -= 5 {
			groups = append(groups, byte(held>>(bits-5)&31))
		}
	}
	if bits > 0 {
		groups = append(groups, byte(held<<(5-bits)&31))
	}
	return groups
}

// bech32Sum computes the checksum of a prefix and its data (BIP-173).
func bech32Sum(prefix string, groups []byte) (sum [6]byte) {
	state := uint32(1)
	step := func(v byte) {
		top := state >> 25
		state = state&(1<<25-1)<<5 ^ uint32(v)
		for i, g := range [...]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				state ^= g
			}
		}
	}
	for _, c := range []byte(prefix) {
		step(c >> 5)
	}
	step(0)
	for _, c := range []byte(prefix) {
		step(c & 31)
	}
	for _, g := range groups {
		step(g)
	}
	for range sum {
		step(0)
	}
	for i := range sum {
		sum[i] = byte((state ^ 1) >> (5 * (5 - i)) & 31)
	}
	return sum
}
