package frame

import (
	"bytes"
	"strings"

	"rhea/proto/nostr/strictjson"
)

// maxIDLength is the length in bytes of an id worth repeating.
const maxIDLength = 64

// EventIDOf finds the id that a client gave its event: an OK must carry it
// even when the event is refused unread or is wrong in other places. It
// returns the text of the first top-level id member as it was sent, which may
// not be hex at all, and false when there is none or when it is not a string
// of 1 to 64 bytes.
//
// It looks at brackets and quotes alone, in one pass, and so finds the id
// behind strings that are not valid JSON too.
func EventIDOf(body []byte) (id string, ok bool) {
	body = trim(body)
	if len(body) == 0 || body[0] != '{' {
		return "", false
	}
	depth := 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return "", false
			}
		case '"':
			end := stringEnd(body, i)
			if depth == 1 && isID(body[i:end]) {
				l := strictjson.New(body[end:])
				if l.Take(':') {
					return idText(&l)
				}
			}
			i = end - 1
		}
	}
	return "", false
}

// stringEnd returns the position after the string that starts at b[i].
func stringEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// isID reports whether a string token, quotes included, says id.
func isID(token []byte) bool {
	if bytes.IndexByte(token, '\\') < 0 {
		return string(token) == `"id"`
	}
	l := strictjson.New(token)
	s, err := l.String()
	return err == nil && s == "id"
}

func idText(l *strictjson.Lexer) (string, bool) {
	id, err := l.String()
	if err != nil || id == "" || len(id) > maxIDLength {
		return "", false
	}
	return strings.Clone(id), true
}
