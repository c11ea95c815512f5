package secp

import "math/bits"

// mulGeneric is mul in portable code, and what the assembly is tested against.
func mulGeneric(z, x, y *Field) {
	l := product((*[4]uint64)(x), (*[4]uint64)(y))
	reduce(z, &l)
}

// sqrGeneric is sqr in portable code.
func sqrGeneric(z, x *Field, n int) {
	*z = *x
	for range n {
		mulGeneric(z, z, z)
	}
}

// product is x·y, 512 bits.
func product(x, y *[4]uint64) (l [8]uint64) {
	for i := range 4 {
		var carry uint64
		yi := y[i]
		for j := range 4 {
			hi, lo := bits.Mul64(x[j], yi)
			var c uint64
			lo, c = bits.Add64(lo, l[i+j], 0)
			hi += c
			lo, c = bits.Add64(lo, carry, 0)
			l[i+j], carry = lo, hi+c
		}
		l[i+4] = carry
	}
	return l
}

// reduce sets z to l, whose upper half comes back multiplied by foldP. That
// sum has 34 bits above 2²⁵⁶, which come back in turn.
func reduce(z *Field, l *[8]uint64) {
	h0, m0 := bits.Mul64(l[4], foldP)
	h1, m1 := bits.Mul64(l[5], foldP)
	h2, m2 := bits.Mul64(l[6], foldP)
	h3, m3 := bits.Mul64(l[7], foldP)
	m1, c := bits.Add64(m1, h0, 0)
	m2, c = bits.Add64(m2, h1, c)
	m3, c = bits.Add64(m3, h2, c)
	h3 += c
	r0, c := bits.Add64(l[0], m0, 0)
	r1, c := bits.Add64(l[1], m1, c)
	r2, c := bits.Add64(l[2], m2, c)
	r3, c := bits.Add64(l[3], m3, c)
	hi, lo := bits.Mul64(h3+c, foldP)
	r0, c = bits.Add64(r0, lo, 0)
	r1, c = bits.Add64(r1, hi, c)
	r2, c = bits.Add64(r2, 0, c)
	r3, c = bits.Add64(r3, 0, c)
	r0, c = bits.Add64(r0, -c&foldP, 0)
	z[0], z[1], z[2], z[3] = r0, r1+c, r2, r3
}

// sqrEachGeneric is sqrEach in portable code.
func sqrEachGeneric(z []Field, n int) {
	for i := range z {
		sqrGeneric(&z[i], &z[i], n)
	}
}
