package secp

import (
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
)

var (
	bigP = bigInt("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F")
	bigN = bigInt("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141")
)

func bigInt(hex string) *big.Int {
	n, ok := new(big.Int).SetString(hex, 16)
	if !ok {
		panic("bad constant " + hex)
	}
	return n
}

// bigOf is the value of limbs as they are, reduced or not.
func bigOf(l []uint64) *big.Int {
	n := new(big.Int)
	for i := len(l) - 1; i >= 0; i-- {
		n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(l[i]))
	}
	return n
}

// newRand returns a source whose seed a failing run prints.
func newRand(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// edgy returns four limbs that are often extreme: all zeros, all ones, near p
// or near the group order.
func edgy(r *rand.Rand) (l [4]uint64) {
	switch r.IntN(4) {
	case 0:
		near := [][4]uint64{{p0, ones, ones, ones}, order, {}, {ones, ones, ones, ones}, {0, 0, 0, 1 << 63}}
		l = near[r.IntN(len(near))]
		l[0] += uint64(r.IntN(7)) - 3
	case 1:
		for i := range l {
			l[i] = []uint64{0, 1, ones, ones - 1, foldP, ones - foldP + 1, r.Uint64()}[r.IntN(7)]
		}
	default:
		for i := range l {
			l[i] = r.Uint64()
		}
	}
	return l
}

// want fails unless got is congruent to the value of math/big.
func want(t *testing.T, what string, got Field, n *big.Int, in ...Field) {
	t.Helper()
	b := got.Bytes()
	if new(big.Int).SetBytes(b[:]).Cmp(new(big.Int).Mod(n, bigP)) != 0 {
		t.Fatalf("%s of %x is %x, not %x", what, in, b, new(big.Int).Mod(n, bigP))
	}
}

func TestFieldAgainstBig(t *testing.T) {
	r := newRand(t)
	for range 5000 {
		x, y := Field(edgy(r)), Field(edgy(r))
		checkField(t, x, y)
	}
}

func checkField(t *testing.T, x, y Field) {
	t.Helper()
	bx, by := bigOf(x[:]), bigOf(y[:])
	var z Field
	n := new(big.Int)
	z.Add(&x, &y)
	want(t, "sum", z, n.Add(bx, by), x, y)
	z.Sub(&x, &y)
	want(t, "difference", z, n.Sub(bx, by), x, y)
	z.Neg(&x)
	want(t, "negation", z, n.Neg(bx), x)
	z.half(&x)
	z.Add(&z, &z)
	want(t, "twice the half", z, bx, x)
	z.Mul(&x, &y)
	want(t, "product", z, n.Mul(bx, by), x, y)
	mulGeneric(&z, &x, &y)
	want(t, "portable product", z, n, x, y)
	z.Sqr(&x)
	want(t, "square", z, n.Mul(bx, bx), x)
	z.sqrN(&x, 3)
	want(t, "eighth power", z, n.Exp(bx, big.NewInt(8), bigP), x)
	sqrGeneric(&z, &x, 3)
	want(t, "portable eighth power", z, n, x)
	z = x
	z.Mul(&z, &z)
	want(t, "product in place", z, n.Mul(bx, bx), x)
	if got, zero := x.IsZero(), n.Mod(bx, bigP).Sign() == 0; got != zero {
		t.Fatalf("%x is zero: %v", x, got)
	}
	if got, odd := x.IsOdd(), n.Mod(bx, bigP).Bit(0) == 1; got != odd {
		t.Fatalf("%x is odd: %v", x, got)
	}
	b := [32]byte(bx.FillBytes(make([]byte, 32)))
	if below := z.SetBytes(&b); below != (bx.Cmp(bigP) < 0) || z != x {
		t.Fatalf("%x read as %x, below p: %v", b, z, below)
	}
	if got := x.Equal(&y); got != (n.Sub(bx, by).Mod(n, bigP).Sign() == 0) {
		t.Fatalf("%x equals %x: %v", x, y, got)
	}
}

func TestInverseAndRoot(t *testing.T) {
	r := newRand(t)
	roots := 0
	for round := range 200 {
		var numbers, z [rootLanes]Field
		var exists [rootLanes]bool
		n := 1 + round%rootLanes
		for i := range n {
			numbers[i] = edgy(r)
		}
		z = numbers
		sqrtEach(z[:n], exists[:n])
		for i, x := range numbers[:n] {
			bx := bigOf(x[:])
			if root := new(big.Int).ModSqrt(bx, bigP); exists[i] != (root != nil) {
				t.Fatalf("%x has a root: %v", x, exists[i])
			} else if exists[i] {
				roots++
				z[i].Sqr(&z[i])
				want(t, "square of the root", z[i], bx, x)
			}
			var inv Field
			inv.Inv(&x)
			n := new(big.Int)
			n.ModInverse(bx, bigP) // leaves 0 for 0
			want(t, "inverse", inv, n, x)
		}
	}
	if roots == 0 || roots == 200*(rootLanes+1)/2 {
		t.Errorf("%d of 500 numbers had a root", roots)
	}
}

func TestSquareEach(t *testing.T) {
	r := newRand(t)
	for n := 1; n < 20; n++ {
		z := make([]Field, n)
		for i := range z {
			z[i] = edgy(r)
		}
		want := append([]Field(nil), z...)
		sqrEach(z, n)
		sqrEachGeneric(want, n)
		for i := range z {
			if !z[i].Equal(&want[i]) {
				t.Fatalf("number %d of %d: %x, portable %x", i, n, z[i], want[i])
			}
		}
	}
}

// FuzzField compares the field, assembly and portable code, with math/big.
func FuzzField(f *testing.F) {
	f.Add(uint64(p0), uint64(ones), uint64(ones), uint64(ones), uint64(0), uint64(1), uint64(ones), uint64(foldP))
	f.Fuzz(func(t *testing.T, a, b, c, d, e, g, h, i uint64) {
		checkField(t, Field{a, b, c, d}, Field{e, g, h, i})
	})
}

func BenchmarkField(b *testing.B) {
	x, y := Field{1, 2, 3, 4}, Field{5, 6, 7, 8}
	four, exists := [rootLanes]Field{{1}, {2}, {3}, {4}}, [rootLanes]bool{}
	for name, f := range map[string]func(){
		"mul": func() { x.Mul(&x, &y) }, "sqr": func() { x.Sqr(&x) }, "add": func() { x.Add(&x, &y) },
		"sub": func() { x.Sub(&x, &y) }, "inv": func() { x.Inv(&x) },
		"sqrt 1": func() { sqrtEach(four[:1], exists[:1]) },
		"sqrt 4": func() { sqrtEach(four[:], exists[:]) },

		"mul portable": func() { mulGeneric(&x, &x, &y) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f()
			}
		})
	}
}
