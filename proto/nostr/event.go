package nostr

import (
	"crypto/sha256"

	"rhea/proto/nostr/strictjson"
)

// Tag is a name and its values; it has at least one element (NIP-01).
type Tag []string

// Event is an event of NIP-01. The strings of a parsed event alias the bytes
// it was parsed from.
type Event struct {
	ID        EventID
	PubKey    PubKey
	CreatedAt int64 // Unix seconds, not negative
	Kind      Kind
	Tags      []Tag
	Content   string
	Sig       Sig
}

// AppendCanonical appends the preimage of the id: the compact UTF-8 JSON array
// [0,pubkey,created_at,kind,tags,content] in which only \n \" \\ \r \t \b \f
// are escaped and everything else stands verbatim (NIP-01).
func (e *Event) AppendCanonical(dst []byte) []byte {
	dst = e.appendCanonicalHead(dst)
	dst = appendTags(dst, e.Tags, strictjson.AppendNIP01String)
	dst = append(dst, ',')
	dst = strictjson.AppendNIP01String(dst, e.Content)
	return append(dst, ']')
}

// ComputeID returns the id that the event ought to have.
func (e *Event) ComputeID() EventID {
	var stack [2048]byte
	return sha256.Sum256(e.AppendCanonical(stack[:0]))
}

// AppendJSON appends the canonical JSON of the event: compact, keys in the
// order id, pubkey, created_at, kind, tags, content, sig, escapes as in
// AppendCanonical except that control characters without a short escape are
// written \u00xx, as JSON demands. It is never longer than the text the event
// was parsed from, but for a created_at or kind that was written with an
// exponent (17 bytes at most).
func (e *Event) AppendJSON(dst []byte) []byte {
	dst = AppendJSONHead(dst, e.ID, e.PubKey, e.CreatedAt, e.Kind)
	dst = appendTags(dst, e.Tags, strictjson.AppendString)
	dst = append(dst, `,"content":`...)
	dst = strictjson.AppendString(dst, e.Content)
	return e.appendJSONTail(dst)
}

func appendTags(dst []byte, tags []Tag, appendString func([]byte, string) []byte) []byte {
	dst = append(dst, '[')
	for i, tag := range tags {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '[')
		for j, s := range tag {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, s)
		}
		dst = append(dst, ']')
	}
	return append(dst, ']')
}
