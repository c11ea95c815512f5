package strictjson

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plainPrefix returns the length of the longest prefix of b that may stand in
// a JSON string as it is: no quote, backslash or control character. high says
// whether a byte of it is outside ASCII. Eight bytes at a time, because event
// text is most of what a relay reads.
func plainPrefix(b []byte) (n int, high bool) {
	var seen uint64
	for len(b)-n >= 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		q, s := w^(ones*'"'), w^(ones*'\\')
		// A byte's high bit is set here when it is zero in q or s or below
		// 0x20 in w. A borrow can set a wrong one only above a right one, and
		// the lowest is the one that counts.
		stop := ((q-ones)&^q | (s-ones)&^s | (w-ones*0x20)&^w) & highs
		if stop != 0 {
			seen |= w & (stop&-stop - 1)
			return n + bits.TrailingZeros64(stop)>>3, seen&highs != 0
		}
		seen |= w
		n += 8
	}
	for ; n < len(b); n++ {
		c := b[n]
		if c < 0x20 || c == '"' || c == '\\' {
			break
		}
		seen |= uint64(c)
	}
	return n, seen&highs != 0
}

// HasControl reports whether a byte of b is below 0x20.
func HasControl(b []byte) bool {
	for len(b) >= 8 {
		w := binary.LittleEndian.Uint64(b)
		// Exact but for borrows, which come only from bytes that are below as well.
		if (w-ones*0x20)&^w&highs != 0 {
			return true
		}
		b = b[8:]
	}
	for _, c := range b {
		if c < 0x20 {
			return true
		}
	}
	return false
}

// checkEscape checks the escape sequence (for a surrogate pair: both) at the
// start of b and returns its length.
func checkEscape(b []byte) (int, error) {
	if len(b) < 2 {
		return 0, ErrSyntax
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, nil
	case 'u':
	default:
		return 0, ErrEscape
	}
	r, ok := hex4(b)
	if !ok {
		return 0, ErrEscape
	}
	if !utf16.IsSurrogate(r) {
		return 6, nil
	}
	low, ok := hex4(b[6:])
	if !ok || utf16.DecodeRune(r, low) == utf8.RuneError {
		return 0, ErrSurrogate
	}
	return 12, nil
}

// hex4 reads \uXXXX at the start of b.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// unescape decodes what rawString has checked.
func unescape(raw []byte) []byte {
	dst := make([]byte, 0, len(raw))
	for {
		n, _ := plainPrefix(raw)
		dst = append(dst, raw[:n]...)
		raw = raw[n:]
		if len(raw) == 0 {
			return dst
		}
		size := 2
		switch c := raw[1]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, _ := hex4(raw)
			size = 6
			if utf16.IsSurrogate(r) {
				low, _ := hex4(raw[6:])
				r = utf16.DecodeRune(r, low)
				size = 12
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, c)
		}
		raw = raw[size:]
	}
}

// AppendString appends s as a JSON string: the seven short escapes of NIP-01,
// \u00xx for the other control characters, all else verbatim. s must be valid
// UTF-8.
func AppendString(dst []byte, s string) []byte { return appendString(dst, s, true) }

// AppendNIP01String appends s as NIP-01 wants it in the preimage of an event
// id: as AppendString, but control characters without a short escape stand
// verbatim, which makes it text to hash and not always valid JSON.
func AppendNIP01String(dst []byte, s string) []byte { return appendString(dst, s, false) }

func appendString(dst []byte, s string, valid bool) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	rest := bytesOf(s)
	for {
		n, _ := plainPrefix(rest)
		dst = append(dst, rest[:n]...)
		rest = rest[n:]
		if len(rest) == 0 {
			return append(dst, '"')
		}
		switch c := rest[0]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		default:
			if valid {
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			} else {
				dst = append(dst, c)
			}
		}
		rest = rest[1:]
	}
}

// bytesOf views s as bytes that must not be written.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
