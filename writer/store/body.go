package store

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"

	"rhea/proto/nostr"
)

// A body is the JSON of an event as the log holds it behind the header. Most of the
// JSON stands in the header already, and much of the rest is hex, so a packed body is
//
//	1     packedBody
//	64    the signature
//	…     uvarint length of the JSON
//	…     segments, up to the end: what stands between "tags": and ,"sig"
//
// and a segment is a uvarint, length<<2 | what follows, so many bytes that stand as
// they are, and what follows them:
//
//	0     nothing
//	1     32 bytes, whose 64 lowercase hex digits follow
//	2     the next indexed tag of the header, ["name","value"
//	3     nothing, but the next indexed tag of the header is passed over
//
// JSON that is not the canonical one of the header, as far as can be told from its
// beginning and end, is a body as it is.
const packedBody = 1

const (
	segmentEnd = iota
	segmentHex
	segmentTag
	segmentSkip
)

const (
	sigAt     = 1
	beforeSig = `,"sig":"`
	afterSig  = `"}`
	sigEnd    = len(beforeSig) + 2*len(nostr.Sig{}) + len(afterSig)
)

// maxTagGap is how far behind one tag the next is looked for. It bounds what an event
// costs whose tags cannot be found, since their values are escaped.
const maxTagGap = 4 << 10

// appendBody appends the body of an event.
func appendBody(dst []byte, h nostr.Header, json []byte) []byte {
	var stack [256]byte
	head := appendHead(stack[:0], h)
	if !bytes.HasPrefix(json, head) || len(json) < len(head)+sigEnd {
		return append(dst, json...)
	}
	end := json[len(json)-sigEnd:]
	sig, ok := unhex(append(dst, packedBody), end[len(beforeSig):len(end)-len(afterSig)])
	if !ok || !bytes.HasPrefix(end, []byte(beforeSig)) || !bytes.HasSuffix(end, []byte(afterSig)) {
		return append(dst, json...)
	}
	dst = binary.AppendUvarint(sig, uint64(len(json)))
	return appendSegments(dst, h, json[len(head):len(json)-sigEnd])
}

// appendHead appends what the canonical JSON of an event begins with.
func appendHead(dst []byte, h nostr.Header) []byte {
	return nostr.AppendJSONHead(dst, h.ID(), h.PubKey(), h.CreatedAt(), h.Kind())
}

func appendSegments(dst []byte, h nostr.Header, text []byte) []byte {
	var stack [128]byte
	passed := 0 // tags of the header that were not found
	for name, value := range h.Tags() {
		tag := appendJSONTag(stack[:0], name, value)
		at := bytes.Index(text[:min(len(text), maxTagGap+len(tag))], tag)
		if at < 0 {
			passed++
			continue
		}
		for ; passed > 0; passed-- {
			dst = append(dst, segmentSkip)
		}
		dst = appendSegment(dst, text[:at], segmentTag)
		text = text[at+len(tag):]
	}
	if len(text) == 0 {
		return dst
	}
	return appendSegment(dst, text, segmentEnd)
}

// appendJSONTag appends what an indexed tag begins with, if nothing in its value has
// to be escaped; otherwise what stands nowhere, or stands for itself.
func appendJSONTag(dst []byte, name byte, value nostr.TagValue) []byte {
	dst = append(dst, '[', '"', name, '"', ',', '"')
	dst = value.AppendTo(dst)
	return append(dst, '"')
}

// appendSegment appends the text and what follows it, after segments of its own for
// the hex that begins behind a quote.
func appendSegment(dst, text []byte, follows uint64) []byte {
	var stack [32]byte
	from := 0 // what is before is appended
	for at := 0; ; {
		quote := bytes.IndexByte(text[at:], '"')
		if quote < 0 {
			break
		}
		at += quote + 1
		for len(text)-at >= 64 {
			packed, ok := unhex(stack[:0], text[at:at+64])
			if !ok {
				break
			}
			dst = append(appendLiteral(dst, text[from:at], segmentHex), packed...)
			at += 64
			from = at
		}
	}
	return appendLiteral(dst, text[from:], follows)
}

func appendLiteral(dst, text []byte, follows uint64) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))<<2|follows), text...)
}

const hexDigits = "0123456789abcdef"

// unhex appends the bytes that lowercase hex digits, an even number, stand for.
func unhex(dst, digits []byte) (_ []byte, ok bool) {
	for i := 0; i+1 < len(digits); i += 2 {
		a, b := digits[i], digits[i+1]
		hi, lo := (a&15+a>>6*9)&15, (b&15+b>>6*9)&15
		if hexDigits[hi] != a || hexDigits[lo] != b {
			return dst, false
		}
		dst = append(dst, hi<<4|lo)
	}
	return dst, true
}

var errBody = errors.New("malformed body")

// bodyJSONLen returns the length of the JSON of a body, which is about right even
// for a malformed one.
func bodyJSONLen(h nostr.Header, body []byte) int {
	if len(body) < sigAt+len(nostr.Sig{}) || body[0] != packedBody {
		return len(body)
	}
	size, _ := binary.Uvarint(body[sigAt+len(nostr.Sig{}):])
	return int(min(size, uint64(2*(len(h)+len(body))+sigEnd)))
}

// appendBodyJSON appends the JSON of a body.
func appendBodyJSON(dst []byte, h nostr.Header, body []byte) ([]byte, error) {
	if len(body) == 0 || body[0] != packedBody {
		return append(dst, body...), nil
	}
	if len(body) < sigAt+len(nostr.Sig{}) {
		return dst, errBody
	}
	sig, rest := body[sigAt:sigAt+len(nostr.Sig{})], body[sigAt+len(nostr.Sig{}):]
	_, n := binary.Uvarint(rest)
	if n <= 0 {
		return dst, errBody
	}
	u := unpacker{appendHead(dst, h), rest[n:]}
	if !u.unpack(h) {
		return dst, errBody
	}
	dst = append(u.dst, beforeSig...)
	dst = hex.AppendEncode(dst, sig)
	return append(dst, afterSig...), nil
}

// unpacker appends what segments stand for.
type unpacker struct {
	dst  []byte
	rest []byte // segments
}

// unpack appends what all segments stand for, and reports whether they are well
// formed.
func (u *unpacker) unpack(h nostr.Header) bool {
	for name, value := range h.Tags() {
		switch u.next() {
		case segmentTag:
			u.dst = appendJSONTag(u.dst, name, value)
		case segmentSkip:
		case segmentEnd:
			return len(u.rest) == 0
		default:
			return false
		}
	}
	return u.next() == segmentEnd && len(u.rest) == 0
}

// next appends segments up to the first that is not hex, and returns what follows
// that, -1 if the segments are malformed. The end of all is segmentEnd.
func (u *unpacker) next() int {
	for len(u.rest) > 0 {
		v, n := binary.Uvarint(u.rest)
		size, follows := v>>2, int(v&3)
		if n <= 0 || size > uint64(len(u.rest)-n) {
			return -1
		}
		u.dst = append(u.dst, u.rest[n:n+int(size)]...)
		u.rest = u.rest[n+int(size):]
		if follows != segmentHex {
			return follows
		}
		if len(u.rest) < 32 {
			return -1
		}
		u.dst = hex.AppendEncode(u.dst, u.rest[:32])
		u.rest = u.rest[32:]
	}
	return segmentEnd
}
