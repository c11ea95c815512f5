package secp

// termWidth is the width of the digits of an Adder's points: eight odd
// multiples of each point, and a digit in six positions.
const termWidth = 5

// Adder sums multiples of many points. It is Strauss' method turned about: all
// that stands at one position of the digits is summed first, in affine
// coordinates with shared inversions, and only then comes the chain of
// doublings, once for all points.
//
// Pippenger's buckets share inversions as well but must sum 2^c buckets for
// every c positions; counted in multiplications they overtake this only at
// about a thousand points, beyond any batch of here.
//
// The zero value is ready. It grows with the largest sum to about 1.6 KB for
// each point and is reused without allocating. It is not safe for concurrent
// use.
type Adder struct {
	base   baseDigits
	points []Affine
	terms  []term
	sums   positionSums
}

// term is k times a point, or λ times that.
type term struct {
	k     Short
	point int
	endo  bool
}

// Reset makes the sum empty.
func (a *Adder) Reset() {
	a.base = baseDigits{}
	a.points, a.terms = a.points[:0], a.terms[:0]
}

// SetBase puts k·G into the sum, in place of the multiple of G before.
func (a *Adder) SetBase(k *Scalar) { a.base.set(k) }

// AddShort adds k·p.
func (a *Adder) AddShort(p *Affine, k Short) {
	a.terms = append(a.terms, term{k: k, point: len(a.points)})
	a.points = append(a.points, *p)
}

// Add adds k·p.
func (a *Adder) Add(p *Affine, k *Scalar) {
	lo, hi := k.split()
	a.terms = append(a.terms, term{k: lo, point: len(a.points)}, term{k: hi, point: len(a.points), endo: true})
	a.points = append(a.points, *p)
}

// SumIsZero reports whether the sum is the point at infinity.
func (a *Adder) SumIsZero() bool {
	sum := a.sum()
	return !sum.finite
}

func (a *Adder) sum() (p Jacobian) {
	a.sums.start(a.points, a.terms)
	multiples := baseTable()
	for high := positions; high > 0; {
		low := a.sums.load(high)
		for pos := high - 1; pos >= low; pos-- {
			p.double()
			for i := range a.sums.at(pos) {
				p.addAffine(&a.sums.at(pos)[i])
			}
			for half := range a.base {
				if q, ok := a.base.point(half, pos, multiples); ok {
					p.addAffine(&q)
				}
			}
		}
		high = low
	}
	return p
}
