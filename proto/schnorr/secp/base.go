package secp

import "sync"

// baseWidth is the width of the digits of G's multiples: 4,096 odd multiples
// are 256 KB, the only table of the process. One digit in fifteen positions is
// then left to add.
const baseWidth = 14

// baseTable returns G, 3G, 5G and so on, made when first asked for, which takes
// about a millisecond.
var baseTable = sync.OnceValue(func() *[1 << (baseWidth - 2)]Affine {
	var table [1 << (baseWidth - 2)]Affine
	var twice, p Jacobian
	twice.set(&g)
	twice.double()
	var d Affine
	twice.affine(&d)
	p.set(&g)
	// One inversion serves all: before[i] is the product of all z below i.
	z, before := make([]Field, len(table)), make([]Field, len(table))
	product := Field{1}
	for i := range table {
		table[i] = Affine{p.x, p.y}
		z[i], before[i] = p.z, product
		product.Mul(&product, &p.z)
		p.addAffine(&d)
	}
	product.Inv(&product)
	for i := len(table) - 1; i >= 0; i-- {
		var inv Field
		inv.Mul(&product, &before[i])
		product.Mul(&product, &z[i])
		table[i].scale(&inv)
	}
	return &table
})

// scale sets p to (x·z², y·z³).
func (p *Affine) scale(z *Field) {
	var zz Field
	zz.Sqr(z)
	p.X.Mul(&p.X, &zz)
	zz.Mul(&zz, z)
	p.Y.Mul(&p.Y, &zz)
}

// affine sets q to the finite p.
func (p *Jacobian) affine(q *Affine) {
	var inv Field
	inv.Inv(&p.z)
	*q = Affine{p.x, p.y}
	q.scale(&inv)
}

// baseDigits holds the digits of s = a + b·λ, by position: those of a, for the
// table of G, and those of b, for that table with βx for x.
type baseDigits [2][positions]int16

func (d *baseDigits) set(s *Scalar) {
	a, b := s.split()
	for i, k := range [2]Short{a, b} {
		clear(d[i][:])
		var digits [maxDigits]digit
		for _, at := range digits[:k.wnaf(&digits, baseWidth)] {
			d[i][at.pos] = at.value
		}
	}
}

// point returns what stands at a position of one half, if anything does.
func (d *baseDigits) point(half, pos int, table *[1 << (baseWidth - 2)]Affine) (q Affine, ok bool) {
	v := d[half][pos]
	if v == 0 {
		return q, false
	}
	if v > 0 {
		q = table[v>>1]
	} else {
		q = table[-v>>1]
		q.negate()
	}
	if half == 1 {
		q.X.Mul(&q.X, &beta)
	}
	return q, true
}
