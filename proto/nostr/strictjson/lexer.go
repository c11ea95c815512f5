// Package strictjson reads JSON texts that come from strangers: one pass, no
// reflection, and exactly RFC 8259, nothing more lenient and nothing stricter.
// It owns tokens (strings, numbers, skipping of values) and the writing of
// strings; what the tokens mean is for its callers in nostr and frame.
//
// Two places where RFC 8259 leaves a choice: text must be valid UTF-8, and a
// \u escape of half a surrogate pair is refused, because there is no UTF-8 for
// it. Non-characters, U+2028 and \u0000 are ordinary text. A byte order mark
// is refused.
//
// Strings without escapes alias the input, so the input must not be modified
// as long as any of them is in use. A Lexer belongs to one goroutine.
package strictjson

import (
	"unicode/utf8"
	"unsafe"
)

// Error is a reason why a text is refused, short and free of input.
type Error string

func (e Error) Error() string { return string(e) }

// The reasons of this package.
const (
	ErrSyntax    Error = "not valid JSON"
	ErrUTF8      Error = "not valid UTF-8"
	ErrControl   Error = "unescaped control character in a string"
	ErrEscape    Error = "illegal escape in a string"
	ErrSurrogate Error = "lone surrogate in a string"
	ErrDepth     Error = "nested too deeply"
	ErrNotString Error = "must be a string"
	ErrNotNumber Error = "must be a number"
)

// Lexer is a position in a JSON text. Its methods skip white space before the
// token they are asked for; after an error the position is unspecified.
type Lexer struct {
	b []byte
	i int
}

// New returns a lexer at the start of b.
func New(b []byte) Lexer { return Lexer{b: b} }

// Offset is the number of bytes consumed.
func (l *Lexer) Offset() int { return l.i }

// Peek returns the first byte of the next token without consuming it, 0 at
// the end of the text. (A NUL byte starts no token, so 0 is never legal.)
func (l *Lexer) Peek() byte {
	for l.i < len(l.b) {
		switch c := l.b[l.i]; c {
		case ' ', '\t', '\n', '\r':
			l.i++
		default:
			return c
		}
	}
	return 0
}

// Take consumes c if it is the next token, and says whether it was.
func (l *Lexer) Take(c byte) bool {
	if l.Peek() != c || l.i >= len(l.b) {
		return false
	}
	l.i++
	return true
}

// End reports whether nothing but white space is left.
func (l *Lexer) End() bool {
	l.Peek()
	return l.i >= len(l.b)
}

// String consumes a string and returns its decoded text, which aliases the
// input when it holds no escape.
func (l *Lexer) String() (string, error) {
	raw, escaped, err := l.rawString()
	if err != nil {
		return "", err
	}
	if escaped {
		raw = unescape(raw)
	}
	return unsafe.String(unsafe.SliceData(raw), len(raw)), nil
}

// Key consumes the name of an object's member and the colon after it, and
// returns the name as String does.
func (l *Lexer) Key() (string, error) {
	key, err := l.String()
	if err == ErrNotString || err == nil && !l.Take(':') {
		err = ErrSyntax
	}
	return key, err
}

// rawString consumes and fully checks a string and returns what stands
// between its quotes.
func (l *Lexer) rawString() (raw []byte, escaped bool, err error) {
	if l.Peek() != '"' {
		return nil, false, ErrNotString
	}
	start := l.i + 1
	i, nonASCII := start, false
	for {
		n, high := plainPrefix(l.b[i:])
		i += n
		nonASCII = nonASCII || high
		if i >= len(l.b) {
			return nil, false, ErrSyntax
		}
		switch l.b[i] {
		case '"':
			raw = l.b[start:i:i]
			if nonASCII && !utf8.Valid(raw) {
				return nil, false, ErrUTF8
			}
			l.i = i + 1
			return raw, escaped, nil
		case '\\':
			n, err := checkEscape(l.b[i:])
			if err != nil {
				return nil, false, err
			}
			i += n
			escaped = true
		default:
			return nil, false, ErrControl
		}
	}
}

// Skip consumes one value of any type, in which arrays and objects may nest at
// most depth deep.
func (l *Lexer) Skip(depth int) error {
	switch c := l.Peek(); {
	case c == '"':
		_, _, err := l.rawString()
		return err
	case c == '-' || '0' <= c && c <= '9':
		_, err := l.Number()
		return err
	case c == 't':
		return l.literal("true")
	case c == 'f':
		return l.literal("false")
	case c == 'n':
		return l.literal("null")
	case c == '[' || c == '{':
		if depth <= 0 {
			return ErrDepth
		}
		l.i++
		if c == '[' {
			return l.skipArray(depth - 1)
		}
		return l.skipObject(depth - 1)
	}
	return ErrSyntax
}

func (l *Lexer) literal(word string) error {
	if len(l.b)-l.i < len(word) || string(l.b[l.i:l.i+len(word)]) != word {
		return ErrSyntax
	}
	l.i += len(word)
	return nil
}

func (l *Lexer) skipArray(depth int) error {
	if l.Take(']') {
		return nil
	}
	for {
		if err := l.Skip(depth); err != nil {
			return err
		}
		if l.Take(']') {
			return nil
		}
		if !l.Take(',') {
			return ErrSyntax
		}
	}
}

func (l *Lexer) skipObject(depth int) error {
	if l.Take('}') {
		return nil
	}
	for {
		if l.Peek() != '"' {
			return ErrSyntax
		}
		if _, _, err := l.rawString(); err != nil {
			return err
		}
		if !l.Take(':') {
			return ErrSyntax
		}
		if err := l.Skip(depth); err != nil {
			return err
		}
		if l.Take('}') {
			return nil
		}
		if !l.Take(',') {
			return ErrSyntax
		}
	}
}
