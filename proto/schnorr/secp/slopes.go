package secp

// slopes adds many pairs of affine points with one inversion for all of them
// (Montgomery's trick): 5 multiplications and a squaring for each addition,
// where one to a Jacobian point has 8 and 3.
//
// First all pairs are planned, then invert is called, then the same pairs are
// taken in the same order. What is taken may overwrite the points of pairs
// already taken.
type slopes struct {
	den  []Field // of each pair, what its slope is divided by
	rest []Field // the product of all den behind it
	kind []pairKind
	inv  Field // 1 / product of the den not yet taken
	next int
}

type pairKind uint8

const (
	different pairKind = iota
	equal
	opposite
)

// reset forgets all pairs.
func (s *slopes) reset() {
	s.den, s.kind, s.next = s.den[:0], s.kind[:0], 0
}

// plan announces the addition a + b.
func (s *slopes) plan(a, b *Affine) {
	var d Field
	d.Sub(&b.X, &a.X)
	kind := different
	if d.IsZero() {
		if a.Y.Equal(&b.Y) {
			kind = equal
			d.Add(&a.Y, &a.Y)
		} else {
			kind = opposite
			d = Field{1}
		}
	}
	s.den, s.kind = append(s.den, d), append(s.kind, kind)
}

// invert ends the planning.
func (s *slopes) invert() {
	for len(s.rest) < len(s.den) {
		s.rest = append(s.rest, Field{})
	}
	product := Field{1}
	for i := len(s.den) - 1; i >= 0; i-- {
		s.rest[i] = product
		product.Mul(&product, &s.den[i])
	}
	s.inv.Inv(&product)
}

// take sets z to a + b, the next of the planned additions, and reports false if
// that is infinity. z may be a or b.
func (s *slopes) take(z, a, b *Affine) bool {
	i := s.next
	s.next++
	var slope, num Field
	slope.Mul(&s.inv, &s.rest[i])
	s.inv.Mul(&s.inv, &s.den[i])
	switch s.kind[i] {
	case opposite:
		return false
	case equal:
		var xx Field
		xx.Sqr(&a.X)
		num.Add(&xx, &xx)
		num.Add(&num, &xx)
	default:
		num.Sub(&b.Y, &a.Y)
	}
	slope.Mul(&slope, &num)
	var x, y Field
	x.Sqr(&slope)
	x.Sub(&x, &a.X)
	x.Sub(&x, &b.X)
	y.Sub(&a.X, &x)
	y.Mul(&y, &slope)
	z.Y.Sub(&y, &a.Y)
	z.X = x
	return true
}
