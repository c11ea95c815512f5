package secp

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

func randomScalar(r *rand.Rand) (k Scalar) {
	k = Scalar(edgy(r))
	if r.IntN(6) == 0 {
		k = Scalar{uint64(r.IntN(20))}
	}
	k.subtractOrder(0)
	if r.IntN(6) == 0 {
		k.Neg(&k)
	}
	return k
}

func (k *Scalar) big() *big.Int { return bigOf(k[:]) }

func TestScalarAgainstBig(t *testing.T) {
	r := newRand(t)
	for range 5000 {
		x, y := randomScalar(r), randomScalar(r)
		bx, by, n := x.big(), y.big(), new(big.Int)
		var z Scalar
		check := func(what string, n *big.Int) {
			t.Helper()
			if z.big().Cmp(n.Mod(n, bigN)) != 0 {
				t.Fatalf("%s of %x and %x is %x, not %x", what, bx, by, z.big(), n)
			}
		}
		z.Add(&x, &y)
		check("sum", n.Add(bx, by))
		z.Neg(&x)
		check("negation", n.Neg(bx))
		z.Mul(&x, &y)
		check("product", n.Mul(bx, by))

		raw := edgy(r)
		below := z.SetBytes((*[32]byte)(bigOf(raw[:]).FillBytes(make([]byte, 32))))
		if want := bigOf(raw[:]).Cmp(bigN) < 0; below != want {
			t.Fatalf("%x below n: %v", raw, below)
		}
		check("reading", bigOf(raw[:]))
	}
}

// TestSplit also shows that no half passes 128 bits: it would not come back.
func TestSplit(t *testing.T) {
	r := newRand(t)
	for range 5000 {
		k := randomScalar(r)
		a, b := k.split()
		sa, z := a.Scalar(), b.Scalar()
		z.Mul(&z, &lambda)
		z.Add(&z, &sa)
		if z != k {
			t.Fatalf("%x is split into %v and %v", k, a, b)
		}
	}
}

func TestDigits(t *testing.T) {
	r := newRand(t)
	for range 5000 {
		l := edgy(r)
		s := Short{Abs: [2]uint64{l[0], l[1]}, Neg: r.IntN(2) == 0}
		for _, width := range []uint{4, 5, 6, baseWidth, 15} {
			var digits [maxDigits]digit
			sum, last := new(big.Int), -int(width)
			for _, d := range digits[:s.wnaf(&digits, width)] {
				if int(d.pos)-last < int(width) || d.value&1 == 0 || d.value >= 1<<(width-1) || -d.value >= 1<<(width-1) {
					t.Fatalf("%v, width %d: digit %+v after position %d", s, width, d, last)
				}
				last = int(d.pos)
				v := big.NewInt(int64(d.value))
				sum.Add(sum, v.Lsh(v, uint(d.pos)))
			}
			want := bigOf(s.Abs[:])
			if s.Neg {
				want.Neg(want)
			}
			if sum.Cmp(want) != 0 {
				t.Fatalf("%v, width %d: digits %+v sum to %x", s, width, digits, sum)
			}
		}
	}
}

// oracleMul is k·q by decred.
func oracleMul(k *Scalar, q *Affine) (p secp256k1.JacobianPoint) {
	var d secp256k1.JacobianPoint
	x, y := q.X.Bytes(), q.Y.Bytes()
	d.X.SetBytes(&x)
	d.Y.SetBytes(&y)
	d.Z.SetInt(1)
	var n secp256k1.ModNScalar
	b := [32]byte(k.big().FillBytes(make([]byte, 32)))
	n.SetBytes(&b)
	secp256k1.ScalarMultNonConst(&n, &d, &p)
	return p
}

// samePoint fails unless got is the point of decred.
func samePoint(t *testing.T, what string, got *Jacobian, want *secp256k1.JacobianPoint) {
	t.Helper()
	infinity := want.Z.IsZero() || want.X.IsZero() && want.Y.IsZero()
	if got.finite == infinity {
		t.Fatalf("%s: finite %v, decred has infinity %v", what, got.finite, infinity)
	}
	if infinity {
		return
	}
	want.ToAffine()
	var q Affine
	got.affine(&q)
	if q.X.Bytes() != *want.X.Bytes() || q.Y.Bytes() != *want.Y.Bytes() {
		t.Fatalf("%s: %x %x, decred has %x %x", what, q.X.Bytes(), q.Y.Bytes(), want.X.Bytes(), want.Y.Bytes())
	}
}

// randomPoint is often a small multiple of G, so that additions meet their
// exceptions.
func randomPoint(t testing.TB, r *rand.Rand) (q Affine) {
	t.Helper()
	k := randomScalar(r)
	if k.IsZero() {
		k = Scalar{1}
	}
	p := oracleMul(&k, &g)
	p.ToAffine()
	q.X.SetBytes(p.X.Bytes())
	q.Y.SetBytes(p.Y.Bytes())
	return q
}

func TestTwoMul(t *testing.T) {
	r := newRand(t)
	for range 400 {
		q := randomPoint(t, r)
		s, e := randomScalar(r), randomScalar(r)
		if r.IntN(8) == 0 {
			q = g
			if e.Neg(&s); r.IntN(2) == 0 {
				e = s
			}
		}
		a, b := oracleMul(&s, &g), oracleMul(&e, &q)
		var sum secp256k1.JacobianPoint
		secp256k1.AddNonConst(&a, &b, &sum)
		var p Jacobian
		p.TwoMul(&s, &e, &q)
		samePoint(t, "s·G + e·q", &p, &sum)
		if !p.finite {
			continue
		}
		var at Affine
		p.affine(&at)
		if p.IsEvenAt(&at.X) == at.Y.IsOdd() {
			t.Fatalf("parity of %x", at.Y.Bytes())
		}
		at.X.Add(&at.X, &Field{1})
		if p.IsEvenAt(&at.X) {
			t.Fatal("at x + 1 too")
		}
	}
}

func TestLiftX(t *testing.T) {
	r := newRand(t)
	on := 0
	for range 500 {
		raw := Field(edgy(r))
		x := [32]byte(bigOf(raw[:]).FillBytes(make([]byte, 32)))
		var p Affine
		got := p.LiftX(&x)
		var fx, fy secp256k1.FieldVal
		want := !fx.SetByteSlice(x[:]) && secp256k1.DecompressY(&fx, false, &fy)
		if got != want || got && p.Y.Bytes() != *fy.Normalize().Bytes() {
			t.Fatalf("%x: %v %x, decred has %v %x", x, got, p.Y.Bytes(), want, fy.Bytes())
		}
		if got {
			on++
		}
	}
	if on < 100 || on > 400 {
		t.Errorf("%d of 500 on the curve", on)
	}
}

func BenchmarkTwoMul(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	q := randomPoint(b, r)
	s, e := Scalar{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64() >> 1}, Scalar{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64() >> 1}
	baseTable()
	for b.Loop() {
		var p Jacobian
		p.TwoMul(&s, &e, &q)
	}
}

func BenchmarkScalar(b *testing.B) {
	x, y := Scalar{1, 2, 3, 4}, Scalar{5, 6, 7, ones}
	b.Run("mul", func(b *testing.B) {
		for b.Loop() {
			x.Mul(&x, &y)
		}
	})
	b.Run("split", func(b *testing.B) {
		for b.Loop() {
			x.split()
		}
	})
}
