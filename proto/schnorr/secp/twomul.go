package secp

// pointWidth is the width of the digits of a point that is multiplied once.
const pointWidth = 5

// oddMultiples are P, 3P, … 15P on an isomorphic curve, where they all have the
// same z ("effective affine", ecmult_impl.h of libsecp256k1): that spares the
// inversion and the additions are still mixed ones.
type oddMultiples [1 << (pointWidth - 2)]Affine

// set fills the table and returns scale: on the curve of the table a point has
// x·scale² and y·scale³.
func (t *oddMultiples) set(p *Affine) (scale Field) {
	var twice, sum Jacobian
	twice.set(p)
	twice.double()
	d := Affine{twice.x, twice.y} // on the curve where 2P has z = 1
	t[0] = *p
	t[0].scale(&twice.z)
	sum.set(&t[0])
	var ratio [len(t)]Field
	for i := 1; i < len(t); i++ {
		ratio[i] = sum.addAffine(&d)
		t[i] = Affine{sum.x, sum.y}
	}
	z := ratio[len(t)-1]
	for i := len(t) - 2; i >= 0; i-- {
		t[i].scale(&z)
		z.Mul(&z, &ratio[i])
	}
	scale.Mul(&sum.z, &twice.z)
	return scale
}

// TwoMul sets p = s·G + e·q: digits of the four halves of s and e interleaved,
// over one chain of doublings (Strauss, with Shamir's trick and wNAF).
func (p *Jacobian) TwoMul(s, e *Scalar, q *Affine) {
	var table, tableL oddMultiples
	scale := table.set(q)
	for i := range table {
		tableL[i].Y = table[i].Y
		tableL[i].X.Mul(&table[i].X, &beta)
	}
	var digits [2][maxDigits]digit
	a, b := e.split()
	left := [2]int{a.wnaf(&digits[0], pointWidth), b.wnaf(&digits[1], pointWidth)}
	var base baseDigits
	base.set(s)
	multiples := baseTable()

	*p = Jacobian{}
	for pos := positions - 1; pos >= 0; pos-- {
		p.double()
		for i, t := range [2]*oddMultiples{&table, &tableL} {
			if n := left[i]; n > 0 && int(digits[i][n-1].pos) == pos {
				left[i]--
				v := digits[i][n-1].value
				if v > 0 {
					p.addAffine(&t[v>>1])
				} else {
					minus := t[-v>>1]
					minus.negate()
					p.addAffine(&minus)
				}
			}
			if q, ok := base.point(i, pos, multiples); ok {
				p.addScaled(&q, &scale)
			}
		}
	}
	p.z.Mul(&p.z, &scale)
}
