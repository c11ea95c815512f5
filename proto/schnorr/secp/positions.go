package secp

const (
	// termMultiples is the number of odd multiples in a point's table.
	termMultiples = 1 << (termWidth - 2)
	// loadPoints is how many points are loaded at a time, if there is more than
	// one position among them: they and their slopes then stay in the processor's
	// second cache, and the inversions of a load are shared by many. 2,048 is 5 %
	// slower, 8,192 no faster.
	loadPoints = 4096
	// fewPairs is when sharing an inversion (270 multiplications) saves less
	// than it costs: a pair costs 6, and 11 when added in the end.
	fewPairs = 54
)

// positionSums sums what stands at each position of the digits of all terms.
type positionSums struct {
	slopes   slopes
	doubles  []Affine
	tables   [][termMultiples]Affine // of each term
	digits   []uint32                // term, multiple and sign, in order of position
	unsorted []placedDigit
	ends     [positions]int // where the digits of a position end

	points []Affine // those loaded, by position
	from   [positions]int
	count  [positions]int
}

type placedDigit struct {
	ref uint32
	pos uint8
}

// start takes the terms of a sum.
func (s *positionSums) start(points []Affine, terms []term) {
	s.fillTables(points, terms)
	s.sortDigits(terms)
}

// fillTables makes the odd multiples of every point.
func (s *positionSums) fillTables(points []Affine, terms []term) {
	s.tables = grown(s.tables, len(terms))
	s.doubles = grown(s.doubles, len(points))
	s.slopes.reset()
	for i := range points {
		s.slopes.plan(&points[i], &points[i])
	}
	s.slopes.invert()
	for i := range points {
		s.slopes.take(&s.doubles[i], &points[i], &points[i])
	}
	for i, t := range terms {
		s.tables[i][0] = points[t.point]
	}
	for m := 1; m < termMultiples; m++ {
		s.slopes.reset()
		for i, t := range terms {
			if !t.endo {
				s.slopes.plan(&s.tables[i][m-1], &s.doubles[t.point])
			}
		}
		s.slopes.invert()
		for i, t := range terms {
			if !t.endo {
				s.slopes.take(&s.tables[i][m], &s.tables[i][m-1], &s.doubles[t.point])
			}
		}
	}
	for i, t := range terms {
		if t.endo { // stands right behind the same point's own
			for m := range s.tables[i] {
				s.tables[i][m].Y = s.tables[i-1][m].Y
				s.tables[i][m].X.Mul(&s.tables[i-1][m].X, &beta)
			}
		}
	}
}

// grown returns a slice of length n, s itself if it has room.
func grown[T any](s []T, n int) []T {
	if n > cap(s) {
		return make([]T, n)
	}
	return s[:n]
}

// sortDigits writes the digits of all terms in the order of their positions.
func (s *positionSums) sortDigits(terms []term) {
	s.unsorted = s.unsorted[:0]
	clear(s.ends[:])
	for i := range terms {
		var digits [maxDigits]digit
		for _, d := range digits[:terms[i].k.wnaf(&digits, termWidth)] {
			ref := uint32(i)<<termWidth | uint32(uint16(d.value))&(1<<termWidth-1)
			s.unsorted = append(s.unsorted, placedDigit{ref, d.pos})
			s.ends[d.pos]++
		}
	}
	for pos := 1; pos < positions; pos++ {
		s.ends[pos] += s.ends[pos-1]
	}
	s.digits = grown(s.digits, len(s.unsorted))
	// Filled from the ends down, every end becomes a beginning.
	for _, d := range s.unsorted {
		s.ends[d.pos]--
		s.digits[s.ends[d.pos]] = d.ref
	}
	copy(s.ends[:], s.ends[1:])
	s.ends[positions-1] = len(s.digits)
}

// load sums the positions below high, as many as loadPoints allows and at least
// one, and returns the lowest of them.
func (s *positionSums) load(high int) (low int) {
	s.points = s.points[:0]
	end := s.ends[high-1]
	for low = high; low > 0; low-- {
		begin := 0
		if low > 1 {
			begin = s.ends[low-2]
		}
		if low < high && len(s.points)+end-begin > loadPoints {
			break
		}
		pos := low - 1
		s.from[pos], s.count[pos] = len(s.points), end-begin
		for _, ref := range s.digits[begin:end] {
			s.points = append(s.points, s.multiple(ref))
		}
		end = begin
	}
	for s.halve(low, high) {
	}
	return low
}

// multiple returns the point that a digit stands for.
func (s *positionSums) multiple(ref uint32) (q Affine) {
	value := int(int32(ref<<(32-termWidth)) >> (32 - termWidth))
	table := &s.tables[ref>>termWidth]
	if value > 0 {
		return table[value>>1]
	}
	q = table[-value>>1]
	q.negate()
	return q
}

// halve adds the points of each loaded position in pairs, and reports false if
// there were too few for it to pay.
func (s *positionSums) halve(low, high int) bool {
	pairs := 0
	for pos := low; pos < high; pos++ {
		pairs += s.count[pos] / 2
	}
	if pairs < fewPairs {
		return false
	}
	s.slopes.reset()
	for pos := low; pos < high; pos++ {
		group := s.at(pos)
		for i := 1; i < len(group); i += 2 {
			s.slopes.plan(&group[i-1], &group[i])
		}
	}
	s.slopes.invert()
	for pos := low; pos < high; pos++ {
		group, n := s.at(pos), 0
		for i := 1; i < len(group); i += 2 {
			if s.slopes.take(&group[n], &group[i-1], &group[i]) {
				n++
			}
		}
		if len(group)%2 == 1 {
			group[n] = group[len(group)-1]
			n++
		}
		s.count[pos] = n
	}
	return true
}

// at returns the points whose sum stands at a loaded position.
func (s *positionSums) at(pos int) []Affine {
	return s.points[s.from[pos]:][:s.count[pos]]
}
