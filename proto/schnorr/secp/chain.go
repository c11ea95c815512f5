package secp

// The inverse and the square root are powers, found by a chain of steps on a few
// numbers: squarings of one and a multiplication by another. Both exponents
// begin with 223 ones. The chains are libsecp256k1's (field_impl.h); xn stands
// for x to the power 2ⁿ−1.
const (
	x = iota
	x2
	x3
	x6
	x22
	x44
	power
	chainNumbers
)

// step sets number z to number a, squared n times over, times number b.
type step struct{ z, a, n, b int }

var (
	inverseChain = append(ones223(), // p−2
		step{power, power, 23, x22}, step{power, power, 5, x}, step{power, power, 3, x2}, step{power, power, 2, x})
	// (p+1)/4, but for two squarings in the end.
	rootChain = append(ones223(),
		step{power, power, 23, x22}, step{power, power, 6, x2})
)

func ones223() []step {
	return []step{
		{x2, x, 1, x}, {x3, x2, 1, x}, {x6, x3, 3, x3}, {power, x6, 3, x3}, {power, power, 2, x2},
		{x22, power, 11, power}, {x44, x22, 22, x22}, {power, x44, 44, x44},
		{power, power, 88, power}, {power, power, 44, x44}, {power, power, 3, x3},
	}
}

// Inv sets z = 1/x, and 0 for 0: 258 squarings and 15 multiplications.
func (z *Field) Inv(a *Field) {
	v := [chainNumbers]Field{x: *a}
	var t Field
	for _, s := range inverseChain {
		t.sqrN(&v[s.a], s.n)
		v[s.z].Mul(&t, &v[s.b])
	}
	*z = v[power]
}

// rootLanes is how many square roots are taken at a time. A squaring waits for
// the one before it, and meanwhile the processor has room for those of others:
// four together take half as long as one after the other.
const rootLanes = 4

// sqrtEach sets every z to a square root of it, or to nothing of use where there
// is none, and tells which. There are at most rootLanes, and at least one.
func sqrtEach(z []Field, exists []bool) {
	var room [chainNumbers + 1][rootLanes]Field
	copy(room[x][:], z)
	t := room[chainNumbers][:len(z)]
	for _, s := range rootChain {
		copy(t, room[s.a][:])
		sqrEach(t, s.n)
		for i := range t {
			room[s.z][i].Mul(&t[i], &room[s.b][i])
		}
	}
	copy(z, room[power][:])
	sqrEach(z, 2)
	for i := range z {
		t[i].Sqr(&z[i])
		exists[i] = t[i].Equal(&room[x][i])
	}
}
