package secp

// chain sets x2, x22 and x223 to x raised to 2²−1, 2²²−1 and 2²²³−1. Both the
// inverse and the square root are powers whose exponents begin with 223 ones.
// The chain is libsecp256k1's.
func chain(x *Field) (x2, x22, x223 Field) {
	var x3, x6, x11, x44, x88, t Field
	grow := func(z, a, b *Field, n int) { // b = x^(2ⁿ−1)
		t.sqrN(a, n)
		z.Mul(&t, b)
	}
	grow(&x2, x, x, 1)
	grow(&x3, &x2, x, 1)
	grow(&x6, &x3, &x3, 3)
	grow(&t, &x6, &x3, 3) // x9
	grow(&x11, &t, &x2, 2)
	grow(&x22, &x11, &x11, 11)
	grow(&x44, &x22, &x22, 22)
	grow(&x88, &x44, &x44, 44)
	grow(&t, &x88, &x88, 88) // x176
	grow(&t, &t, &x44, 44)   // x220
	grow(&x223, &t, &x3, 3)  // x223
	return x2, x22, x223
}

// Inv sets z = 1/x, and 0 for 0: x to the power p−2, 258 squarings and 15
// multiplications.
func (z *Field) Inv(x *Field) {
	a := *x
	x2, x22, t := chain(&a)
	t.sqrN(&t, 23)
	t.Mul(&t, &x22)
	t.sqrN(&t, 5)
	t.Mul(&t, &a)
	t.sqrN(&t, 3)
	t.Mul(&t, &x2)
	t.sqrN(&t, 2)
	z.Mul(&t, &a)
}

// Sqrt sets z to a square root of x, and reports whether there is one: x to
// the power (p+1)/4.
func (z *Field) Sqrt(x *Field) bool {
	a := *x
	x2, x22, t := chain(&a)
	t.sqrN(&t, 23)
	t.Mul(&t, &x22)
	t.sqrN(&t, 6)
	t.Mul(&t, &x2)
	z.sqrN(&t, 2)
	t.Sqr(z)
	return t.Equal(&a)
}
