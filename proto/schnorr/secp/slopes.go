package secp

// slopes adds many pairs of affine points with one inversion for all of them
// (Montgomery's trick): 5 multiplications and a squaring for each addition,
// where one to a Jacobian point has 8 and 3.
//
// First all pairs are planned, then invert is called, then the same pairs are
// taken in the same order. What is taken may overwrite the points of pairs
// already taken.
//
// Products go in lanes, pair i in lane i mod slopeLanes: each waits for the one
// before it in its lane, and the processor has several in hand.
type slopes struct {
	den  []Field // of each pair, what its slope is divided by
	rest []Field // the product of all den behind it in its lane
	kind []pairKind
	inv  [slopeLanes]Field // 1 / product of the den of a lane not yet taken
	next int
}

const slopeLanes = 4

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
	one := Field{1}
	s.inv = [slopeLanes]Field{one, one, one, one}
	for i := len(s.den) - 1; i >= 0; i-- {
		product := &s.inv[i%slopeLanes]
		s.rest[i] = *product
		product.Mul(product, &s.den[i])
	}
	// The lanes share the inversion in the same way.
	var before [slopeLanes]Field
	inv := one
	for i := range s.inv {
		before[i] = inv
		inv.Mul(&inv, &s.inv[i])
	}
	inv.Inv(&inv)
	for i := slopeLanes - 1; i >= 0; i-- {
		product := s.inv[i]
		s.inv[i].Mul(&inv, &before[i])
		inv.Mul(&inv, &product)
	}
}

// take sets z to a + b, the next of the planned additions, and reports false if
// that is infinity. z may be a or b.
func (s *slopes) take(z, a, b *Affine) bool {
	i := s.next
	s.next++
	var slope, num Field
	inv := &s.inv[i%slopeLanes]
	slope.Mul(inv, &s.rest[i])
	inv.Mul(inv, &s.den[i])
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
