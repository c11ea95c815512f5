package frame

import (
	"strings"
	"unicode/utf8"

	"rhea/proto/nostr"
	"rhea/proto/nostr/strictjson"
)

// Verb is the first element of a client's frame.
type Verb uint8

// The verbs of a client; the zero Verb is none of them.
const (
	Event    Verb = iota + 1 // NIP-01
	Req                      // NIP-01
	Close                    // NIP-01
	Count                    // NIP-45
	Auth                     // NIP-42
	NegOpen                  // NIP-77
	NegMsg                   // NIP-77
	NegClose                 // NIP-77
)

// String returns the verb as it stands in the frame, "" for none.
func (v Verb) String() string {
	switch v {
	case Event:
		return "EVENT"
	case Req:
		return "REQ"
	case Close:
		return "CLOSE"
	case Count:
		return "COUNT"
	case Auth:
		return "AUTH"
	case NegOpen:
		return "NEG-OPEN"
	case NegMsg:
		return "NEG-MSG"
	case NegClose:
		return "NEG-CLOSE"
	}
	return ""
}

func parseVerb(s string) Verb {
	for v := Event; v <= NegClose; v++ {
		if v.String() == s {
			return v
		}
	}
	return 0
}

// MaxSubIDLength is the most characters a subscription id may have (NIP-01).
const MaxSubIDLength = 64

// SubID is a subscription id, or the query id of a COUNT or NEG-OPEN: text of
// 1 to 64 characters, unescaped.
type SubID string

// Client is what a client said.
type Client struct {
	Verb Verb
	// Sub is set for all verbs but EVENT and AUTH. It is a copy.
	Sub SubID
	// Body is what follows, without the white space around it, and aliases the
	// frame: the raw event (EVENT, AUTH), the raw filters with the commas
	// between them (REQ, COUNT), the raw further arguments (NEG-OPEN, NEG-MSG),
	// nil for CLOSE and NEG-CLOSE. It ends before the last ] of the frame and
	// is otherwise not looked at, so it may be any bytes.
	Body []byte
}

// Error is why a frame cannot be understood. Its text starts with a prefix of
// NIP-01 and is fit for a NOTICE, or a CLOSED where the subscription is known.
type Error struct {
	Prefix nostr.Prefix
	Why    string
}

func (e *Error) Error() string { return e.Prefix.Text(e.Why) }

func invalid(why string) *Error { return &Error{nostr.Invalid, why} }

// ParseClient reads the verb and subscription id of a frame. The error is
// always an *Error; what could be read until then is in the Client, so that a
// CLOSED can name the subscription.
func ParseClient(b []byte) (Client, error) {
	var c Client
	inner, ok := unwrap(b)
	if !ok {
		return c, invalid("a message must be one JSON array")
	}
	l := strictjson.New(inner)
	word, err := l.String()
	if err != nil {
		return c, invalid("the first element must be the name of a message")
	}
	if c.Verb = parseVerb(word); c.Verb == 0 {
		return c, &Error{nostr.Unsupported, "unknown message"}
	}
	if c.Verb != Event && c.Verb != Auth {
		if c.Sub, err = parseSub(&l); err != nil {
			return c, invalid(c.Verb.String() + ": " + err.Error())
		}
	}
	if l.End() {
		if c.Verb != Close && c.Verb != NegClose {
			return c, invalid(c.Verb.String() + ": too few elements")
		}
		return c, nil
	}
	if !l.Take(',') {
		return c, invalid(c.Verb.String() + ": " + strictjson.ErrSyntax.Error())
	}
	if c.Verb == Close || c.Verb == NegClose {
		return c, invalid(c.Verb.String() + ": too many elements")
	}
	l.Peek()
	c.Body = inner[l.Offset():]
	if len(c.Body) == 0 {
		return c, invalid(c.Verb.String() + ": " + strictjson.ErrSyntax.Error())
	}
	return c, nil
}

// unwrap returns what stands between the brackets of b, trimmed.
func unwrap(b []byte) ([]byte, bool) {
	b = trim(b)
	if len(b) < 2 || b[0] != '[' || b[len(b)-1] != ']' {
		return nil, false
	}
	return trim(b[1 : len(b)-1]), true
}

// trim cuts the white space of JSON off both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func parseSub(l *strictjson.Lexer) (SubID, error) {
	const (
		whyMissing strictjson.Error = "the subscription id is missing"
		whyText    strictjson.Error = "the subscription id must be a string"
		whyLength  strictjson.Error = "the subscription id must have 1 to 64 characters"
	)
	if !l.Take(',') {
		if l.End() {
			return "", whyMissing
		}
		return "", strictjson.ErrSyntax
	}
	s, err := l.String()
	if err == strictjson.ErrNotString {
		return "", whyText
	}
	if err != nil {
		return "", err
	}
	if s == "" || len(s) > MaxSubIDLength*utf8.UTFMax || utf8.RuneCountInString(s) > MaxSubIDLength {
		return "", whyLength
	}
	return SubID(strings.Clone(s)), nil
}
