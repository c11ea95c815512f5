package schnorr

import "rhea/proto/schnorr/secp"

// entry is a signature of a batch, taken apart.
type entry struct {
	index  int // among the signatures
	author int // among the authors
	r      secp.Affine
	s, e   secp.Scalar
	weight secp.Scalar // below 2¹²⁸
}

// author is a public key of a batch.
type author struct {
	key   *[32]byte
	point secp.Affine
	valid bool // the key is one
	known bool // to Keys
	sum   secp.Scalar
	used  bool
}

// lifts are points of which only x is known yet.
type lifts struct {
	points  []*secp.Affine
	onCurve []bool
}

// prepare makes entries of all signatures but those that are invalid by
// themselves: a number out of range, a key or an R that is not on the curve.
func (v *Verifier) prepare(sigs []Signature) {
	v.weigher.start(sigs)
	v.takeApart(sigs)
	v.lift()
	kept := v.entries[:0]
	for i, e := range v.entries {
		s := &sigs[e.index]
		if !v.lifts.onCurve[i] || !v.authors[e.author].valid {
			continue
		}
		e.weight = v.weigher.weight(len(kept))
		e.e = challenge(s.Sig[:32], &s.PubKey, s.ID[:])
		kept = append(kept, e)
	}
	v.entries = kept
}

// takeApart makes entries of all signatures whose numbers are in range, and
// finds their authors.
func (v *Verifier) takeApart(sigs []Signature) {
	v.entries, v.authors = v.entries[:0], v.authors[:0]
	clear(v.byKey)
	for i := range sigs {
		s := &sigs[i]
		r, k, inRange := parse(&s.Sig)
		if !inRange {
			continue
		}
		v.entries = append(v.entries, entry{index: i, author: v.author(&s.PubKey), r: secp.Affine{X: r}, s: k})
	}
}

// author returns the number of the author with the given key.
func (v *Verifier) author(key *[32]byte) int {
	if i, ok := v.byKey[*key]; ok {
		return i
	}
	a := author{key: key}
	a.known = v.keys.lift(&a.point, key)
	a.valid = a.known || a.point.X.SetBytes(key)
	v.byKey[*key] = len(v.authors)
	v.authors = append(v.authors, a)
	return len(v.authors) - 1
}

// lift finds the y coordinates of every R and of the keys that are not known,
// together. Those of the entries are the first of the lifts.
func (v *Verifier) lift() {
	points := v.lifts.points[:0]
	for i := range v.entries {
		points = append(points, &v.entries[i].r)
	}
	for i := range v.authors {
		if a := &v.authors[i]; !a.known {
			points = append(points, &a.point)
		}
	}
	for len(v.lifts.onCurve) < len(points) {
		v.lifts.onCurve = append(v.lifts.onCurve, false)
	}
	v.lifts.points = points
	secp.LiftEach(points, v.lifts.onCurve[:len(points)])
	n := len(v.entries)
	for i := range v.authors {
		if a := &v.authors[i]; !a.known {
			a.valid = a.valid && v.lifts.onCurve[n]
			n++
		}
	}
}

// sumIsZero reports whether the weighted sum over the entries is infinity. What
// an author signed is one multiple of the public key.
func (v *Verifier) sumIsZero(entries []entry) bool {
	v.adder.Reset()
	var base secp.Scalar
	for i := range entries {
		e := &entries[i]
		v.adder.AddShort(&e.r, secp.Short{Abs: [2]uint64(e.weight[:2]), Neg: true})
		var t secp.Scalar
		t.Mul(&e.s, &e.weight)
		base.Add(&base, &t)
		t.Mul(&e.e, &e.weight)
		a := &v.authors[e.author]
		a.sum.Add(&a.sum, &t)
		a.used = true
	}
	v.adder.SetBase(&base)
	for i := range v.authors {
		if a := &v.authors[i]; a.used {
			a.sum.Neg(&a.sum)
			v.adder.Add(&a.point, &a.sum)
			a.sum, a.used = secp.Scalar{}, false
		}
	}
	return v.adder.SumIsZero()
}

// verifyEntry verifies one entry by itself.
func (v *Verifier) verifyEntry(e *entry) bool {
	var minus secp.Scalar
	minus.Neg(&e.e)
	var sum secp.Jacobian
	sum.TwoMul(&e.s, &minus, &v.authors[e.author].point)
	if !sum.IsEvenAt(&e.r.X) {
		return false
	}
	v.remember(e.author)
	return true
}

// remember hands an author of a valid signature to Keys.
func (v *Verifier) remember(i int) {
	if a := &v.authors[i]; !a.known {
		v.keys.remember(&a.point, a.key)
		a.known = true
	}
}
