package nostr

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"rhea/proto/nostr/strictjson"
)

// Canon builds the two texts of an event, the preimage of its id and its JSON, with
// the long parts of both, tags and content, escaped once. It keeps its memory for
// the next event. The zero value is ready; it belongs to one goroutine.
type Canon struct {
	text     []byte // as of AppendCanonical
	tags     int    // where they begin
	content  int
	verbatim bool // nothing in it is written in another way in JSON
}

// maxCanon is how much memory in bytes a Canon keeps.
const maxCanon = 1 << 20

// ID returns the id that e ought to have, as e.ComputeID does, and remembers the
// text for AppendJSON.
func (c *Canon) ID(e *Event) EventID {
	if cap(c.text) > maxCanon {
		c.text = nil
	}
	c.text = e.appendCanonicalHead(c.text[:0])
	c.tags = len(c.text)
	c.text = appendTags(c.text, e.Tags, strictjson.AppendNIP01String)
	c.text = append(c.text, ',')
	c.content = len(c.text)
	c.text = strictjson.AppendNIP01String(c.text, e.Content)
	c.verbatim = !strictjson.HasControl(c.text[c.tags:])
	c.text = append(c.text, ']')
	return sha256.Sum256(c.text)
}

// AppendJSON appends the canonical JSON of e, as e.AppendJSON does. E must be the
// event of the last call of ID.
func (c *Canon) AppendJSON(dst []byte, e *Event) []byte {
	if !c.verbatim {
		return e.AppendJSON(dst)
	}
	dst = AppendJSONHead(dst, e.ID, e.PubKey, e.CreatedAt, e.Kind)
	dst = append(dst, c.text[c.tags:c.content-1]...)
	dst = append(dst, `,"content":`...)
	dst = append(dst, c.text[c.content:len(c.text)-1]...)
	return e.appendJSONTail(dst)
}

// appendCanonicalHead appends what stands before the tags in the canonical form.
func (e *Event) appendCanonicalHead(dst []byte) []byte {
	dst = append(dst, `[0,"`...)
	dst = hex.AppendEncode(dst, e.PubKey[:])
	dst = append(dst, `",`...)
	dst = strconv.AppendInt(dst, e.CreatedAt, 10)
	dst = append(dst, ',')
	dst = strconv.AppendUint(dst, uint64(e.Kind), 10)
	return append(dst, ',')
}

// AppendJSONHead appends what stands before the tags in the canonical JSON of an event.
func AppendJSONHead(dst []byte, id EventID, author PubKey, createdAt int64, kind Kind) []byte {
	dst = append(dst, `{"id":"`...)
	dst = hex.AppendEncode(dst, id[:])
	dst = append(dst, `","pubkey":"`...)
	dst = hex.AppendEncode(dst, author[:])
	dst = append(dst, `","created_at":`...)
	dst = strconv.AppendInt(dst, createdAt, 10)
	dst = append(dst, `,"kind":`...)
	dst = strconv.AppendUint(dst, uint64(kind), 10)
	return append(dst, `,"tags":`...)
}

// appendJSONTail appends what stands after the content in the JSON.
func (e *Event) appendJSONTail(dst []byte) []byte {
	dst = append(dst, `,"sig":"`...)
	dst = hex.AppendEncode(dst, e.Sig[:])
	return append(dst, `"}`...)
}
