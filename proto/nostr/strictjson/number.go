package strictjson

// Number is what a JSON number is as an integer.
type Number struct {
	Int  int64 // the value when Form is Exact, otherwise 0
	Form Form
}

// Form says whether a number is an integer of 64 bits.
type Form uint8

// The forms of a number.
const (
	Exact    Form = iota // integral and within int64, however it was written
	Fraction             // not integral
	TooLarge             // integral, above the largest int64
	TooSmall             // integral, below the smallest int64
)

// Number consumes a number. 1.0 and 1e3 are the integers they denote; the work
// is linear in the length of the token whatever the exponent.
func (l *Lexer) Number() (Number, error) {
	negative := l.Peek() == '-'
	if negative {
		l.i++
	}
	start := l.i
	var v int64
	for l.i < len(l.b) && l.i-start < 18 && isDigit(l.b[l.i]) {
		v = v*10 + int64(l.b[l.i]-'0')
		l.i++
	}
	if l.i == start {
		if negative {
			return Number{}, ErrSyntax
		}
		return Number{}, ErrNotNumber
	}
	if l.b[start] == '0' && l.i-start > 1 {
		return Number{}, ErrSyntax
	}
	if l.i < len(l.b) {
		if c := l.b[l.i]; isDigit(c) || c == '.' || c == 'e' || c == 'E' {
			l.i = start
			return l.longNumber(negative)
		}
	}
	if negative {
		v = -v
	}
	return Number{Int: v}, nil
}

// decimal collects the digits of a number as significand × 10^scale, where the
// significand has no trailing zero.
type decimal struct {
	significand uint64
	digits      int // of the significand, 0 when it is 0
	zeros       int // seen since the last other digit
	wide        bool
}

// maxDigits of the significand keep it within uint64; an int64 has no more.
const maxDigits = 19

func (d *decimal) add(c byte) {
	if c == '0' {
		if d.digits > 0 {
			d.zeros++
		}
		return
	}
	if d.wide || d.digits+d.zeros+1 > maxDigits {
		// The magnitude still matters, to tell a fraction from a large integer.
		d.wide, d.digits, d.zeros = true, d.digits+d.zeros+1, 0
		return
	}
	for ; d.zeros > 0; d.zeros-- {
		d.significand *= 10
		d.digits++
	}
	d.significand = d.significand*10 + uint64(c-'0')
	d.digits++
}

// longNumber reads the digits, fraction and exponent after the sign.
func (l *Lexer) longNumber(negative bool) (Number, error) {
	var d decimal
	scale := 0
	if l.b[l.i] == '0' && l.i+1 < len(l.b) && isDigit(l.b[l.i+1]) {
		return Number{}, ErrSyntax
	}
	for l.i < len(l.b) && isDigit(l.b[l.i]) {
		d.add(l.b[l.i])
		l.i++
	}
	if l.i < len(l.b) && l.b[l.i] == '.' {
		l.i++
		start := l.i
		for l.i < len(l.b) && isDigit(l.b[l.i]) {
			d.add(l.b[l.i])
			l.i++
		}
		if l.i == start {
			return Number{}, ErrSyntax
		}
		scale -= l.i - start
	}
	if l.i < len(l.b) && (l.b[l.i] == 'e' || l.b[l.i] == 'E') {
		e, err := l.exponent()
		if err != nil {
			return Number{}, err
		}
		scale += e
	}
	return d.number(negative, scale+d.zeros), nil
}

// exponent reads e, a sign and digits. Beyond any length a text can have the
// exact value makes no difference any more.
func (l *Lexer) exponent() (int, error) {
	const enough = 1 << 48
	l.i++
	negative := false
	if l.i < len(l.b) && (l.b[l.i] == '+' || l.b[l.i] == '-') {
		negative = l.b[l.i] == '-'
		l.i++
	}
	start, e := l.i, 0
	for l.i < len(l.b) && isDigit(l.b[l.i]) {
		e = min(e*10+int(l.b[l.i]-'0'), enough)
		l.i++
	}
	if l.i == start {
		return 0, ErrSyntax
	}
	if negative {
		e = -e
	}
	return e, nil
}

func (d *decimal) number(negative bool, scale int) Number {
	beyond := Number{Form: TooLarge}
	if negative {
		beyond.Form = TooSmall
	}
	switch {
	case d.digits == 0:
		return Number{}
	case scale < 0:
		return Number{Form: Fraction}
	case d.wide || d.digits+scale > maxDigits:
		return beyond
	}
	v := d.significand
	for ; scale > 0; scale-- {
		v *= 10
	}
	switch {
	case !negative && v < 1<<63:
		return Number{Int: int64(v)}
	case negative && v <= 1<<63:
		return Number{Int: -int64(v)}
	}
	return beyond
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
