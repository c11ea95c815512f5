package secp

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

// TestAdder sums terms that are often equal, opposite or multiples of G, with
// one Adder for all sums, and compares with decred.
func TestAdder(t *testing.T) {
	r := newRand(t)
	var a Adder
	for round := range 36 {
		n := []int{0, 1, 2, 5, 30, 90}[round%6]
		a.Reset()
		base := randomScalar(r)
		a.SetBase(&base)
		sum := oracleMul(&base, &g)
		add := func(p secp256k1.JacobianPoint) {
			var s secp256k1.JacobianPoint
			secp256k1.AddNonConst(&sum, &p, &s)
			sum = s
		}
		var last Affine
		var lastK Scalar
		for i := range n {
			q, k := randomPoint(t, r), randomScalar(r)
			if i > 0 {
				switch r.IntN(5) {
				case 0:
					q, k = last, lastK
				case 1:
					q, k = last, lastK
					q.negate()
				case 2:
					q = g
				case 3:
					q = g
					q.negate()
				}
			}
			if r.IntN(2) == 0 {
				s := Short{Abs: [2]uint64{k[0], k[1]}, Neg: r.IntN(2) == 0}
				a.AddShort(&q, s)
				k = s.Scalar()
			} else {
				a.Add(&q, &k)
			}
			add(oracleMul(&k, &q))
			last, lastK = q, k
		}
		got := a.sum()
		samePoint(t, fmt.Sprintf("sum of %d", n), &got, &sum)
		if a.SumIsZero() == got.finite {
			t.Fatal("SumIsZero differs from the sum")
		}
	}
}

// TestAdderCancels has sums that are infinity all the way: every point meets
// its opposite with the same digits.
func TestAdderCancels(t *testing.T) {
	r := newRand(t)
	var a Adder
	for _, n := range []int{1, 3, 100} {
		a.Reset()
		for range n {
			q, k := randomPoint(t, r), randomScalar(r)
			minus := q
			minus.negate()
			a.Add(&q, &k)
			a.Add(&minus, &k)
		}
		if !a.SumIsZero() {
			t.Errorf("%d points and their opposites do not cancel", n)
		}
		one := Scalar{1}
		if a.SetBase(&one); a.SumIsZero() {
			t.Errorf("%d points, their opposites and G cancel", n)
		}
	}
}

// TestEqualPointsMeet sums one point many times over, so that every addition of
// the shared kind is a doubling.
func TestEqualPointsMeet(t *testing.T) {
	var a Adder
	for _, n := range []int{2, 63, 64, 300} {
		a.Reset()
		k := Scalar{0x123456789, 77}
		for range n {
			a.AddShort(&g, Short{Abs: [2]uint64{k[0], k[1]}})
		}
		minus := Scalar{uint64(n)}
		minus.Mul(&minus, &k)
		minus.Neg(&minus)
		if a.SetBase(&minus); !a.SumIsZero() {
			t.Errorf("%d times k·G is not %d·k·G", n, n)
		}
	}
}

func BenchmarkAdder(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{4, 16, 64, 128, 256} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			q := make([]Affine, 2*n)
			for i := range q {
				k := Scalar{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64() >> 1}
				p := oracleMul(&k, &g)
				p.ToAffine()
				q[i].X.SetBytes(p.X.Bytes())
				q[i].Y.SetBytes(p.Y.Bytes())
			}
			var a Adder
			for b.Loop() {
				a.Reset()
				for i := range n {
					a.AddShort(&q[2*i], Short{Abs: [2]uint64{r.Uint64(), r.Uint64()}})
					a.Add(&q[2*i+1], &Scalar{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64() >> 1})
				}
				a.SumIsZero()
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/sig")
		})
	}
}
