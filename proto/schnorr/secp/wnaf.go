package secp

// A short number has digits at positions 0 to 128, at most one for every two
// of them, and with width 4, the least in use, one in four.
const (
	positions = 129
	maxDigits = 33
)

// digit stands for value·2^pos. The value is odd.
type digit struct {
	value int16
	pos   uint8
}

// wnaf writes s in non-adjacent form of the given width, 4 to 15, the lowest
// position first, and returns how many digits there are. Values are odd, below
// 2^(width−1) without their sign, and width positions apart.
func (s *Short) wnaf(out *[maxDigits]digit, width uint) int {
	limbs := [3]uint64{s.Abs[0], s.Abs[1]}
	n, carry := 0, uint64(0)
	for pos := uint(0); pos < positions; {
		at := limbs[pos/64]>>(pos%64) | limbs[min(pos/64+1, 2)]<<(64-pos%64)
		if at&1 == carry {
			pos++
			continue
		}
		word := at&(1<<width-1) + carry
		carry = word >> (width - 1) & 1
		value := int16(word) - int16(carry<<width)
		if s.Neg {
			value = -value
		}
		out[n] = digit{value, uint8(pos)}
		n++
		pos += width
	}
	return n
}
