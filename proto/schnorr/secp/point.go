package secp

// Affine is a finite point of the curve y² = x³ + 7.
type Affine struct{ X, Y Field }

// g is the generator of the group.
var g = Affine{
	X: Field{0x59F2815B16F81798, 0x029BFCDB2DCE28D9, 0x55A06295CE870B07, 0x79BE667EF9DCBBAC},
	Y: Field{0x9C47D08FFB10D4B8, 0xFD17B448A6855419, 0x5DA4FBFC0E1108A8, 0x483ADA7726A3C465},
}

// LiftX sets p to the point whose x coordinate is the big-endian one given and
// whose y coordinate is even (lift_x of BIP-340). It reports false if there is
// none: x is not below the field prime, or not on the curve, which half of all
// x are not.
func (p *Affine) LiftX(x *[32]byte) bool {
	if !p.X.SetBytes(x) {
		return false
	}
	var onCurve [1]bool
	LiftEach([]*Affine{p}, onCurve[:])
	return onCurve[0]
}

// LiftEach does for all points what LiftX does for one, in half the time: it
// sets Y for the X already there. onCurve is as long as points.
func LiftEach(points []*Affine, onCurve []bool) {
	for len(points) > 0 {
		var room [rootLanes]Field
		n := min(len(points), rootLanes)
		c := room[:n]
		for i, p := range points[:n] {
			c[i].Sqr(&p.X)
			c[i].Mul(&c[i], &p.X)
			c[i].Add(&c[i], &Field{7})
		}
		sqrtEach(c, onCurve[:n])
		for i, p := range points[:n] {
			if p.Y = c[i]; p.Y.IsOdd() {
				p.Y.Neg(&p.Y)
			}
		}
		points, onCurve = points[n:], onCurve[n:]
	}
}

// negate sets p = −p.
func (p *Affine) negate() { p.Y.Neg(&p.Y) }

// Jacobian is the point (x/z², y/z³), or infinity if finite is not set, as in
// the zero value.
type Jacobian struct {
	x, y, z Field
	finite  bool
}

// set makes p the affine q.
func (p *Jacobian) set(q *Affine) {
	*p = Jacobian{x: q.X, y: q.Y, z: Field{1}, finite: true}
}

// IsEvenAt reports whether p is finite, its affine x coordinate is x and its
// affine y coordinate is even. x/z² is compared as x against x·z², so a point
// elsewhere costs no inversion; only the parity of y needs one.
func (p *Jacobian) IsEvenAt(x *Field) bool {
	if !p.finite {
		return false
	}
	var t Field
	t.Sqr(&p.z)
	t.Mul(&t, x)
	if !t.Equal(&p.x) {
		return false
	}
	t.Inv(&p.z)
	var y Field
	y.Sqr(&t)
	y.Mul(&y, &t)
	y.Mul(&y, &p.y)
	return !y.IsOdd()
}

// double sets p = 2p, with 3 multiplications and 4 squarings. No finite point
// has y = 0, the order of the group being odd.
func (p *Jacobian) double() {
	if !p.finite {
		return
	}
	var s, l, t Field
	p.z.Mul(&p.z, &p.y)
	s.Sqr(&p.y)
	l.Sqr(&p.x)
	t.Add(&l, &l)
	l.Add(&l, &t)
	l.half(&l)
	t.Mul(&s, &p.x)
	p.x.Sqr(&l)
	p.x.Sub(&p.x, &t)
	p.x.Sub(&p.x, &t)
	t.Sub(&t, &p.x)
	s.Sqr(&s)
	p.y.Mul(&l, &t)
	p.y.Sub(&p.y, &s)
}

// addAffine sets p = p + q, with 8 multiplications and 3 squarings, and returns
// the ratio of the new z to the old (nothing of use if p was infinity or ±q).
func (p *Jacobian) addAffine(q *Affine) (ratio Field) {
	if !p.finite {
		p.set(q)
		return ratio
	}
	return p.add(q, &p.z)
}

// addScaled is addAffine for a p that is kept on the isomorphic curve where
// points have x·scale² and y·scale³, while q is on the curve itself.
func (p *Jacobian) addScaled(q *Affine, scale *Field) {
	if !p.finite {
		var t Field
		t.Sqr(scale)
		p.x.Mul(&q.X, &t)
		t.Mul(&t, scale)
		p.y.Mul(&q.Y, &t)
		p.z, p.finite = Field{1}, true
		return
	}
	var z Field
	z.Mul(&p.z, scale)
	p.add(q, &z)
}

// add is p + q where z is what p's z is on q's curve.
func (p *Jacobian) add(q *Affine, z *Field) (h Field) {
	var zz, r Field
	zz.Sqr(z)
	h.Mul(&q.X, &zz)
	h.Sub(&h, &p.x)
	r.Mul(&zz, z)
	r.Mul(&r, &q.Y)
	r.Sub(&r, &p.y)
	if h.IsZero() {
		if r.IsZero() {
			p.double()
		} else {
			*p = Jacobian{}
		}
		return h
	}
	var hh, t Field
	hh.Sqr(&h)
	t.Mul(&p.x, &hh)
	hh.Mul(&hh, &h)
	p.x.Sqr(&r)
	p.x.Sub(&p.x, &hh)
	p.x.Sub(&p.x, &t)
	p.x.Sub(&p.x, &t)
	t.Sub(&t, &p.x)
	t.Mul(&t, &r)
	hh.Mul(&hh, &p.y)
	p.y.Sub(&t, &hh)
	p.z.Mul(&p.z, &h)
	return h
}
