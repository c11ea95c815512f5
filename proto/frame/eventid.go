package frame

import (
	"strings"

	"rhea/proto/nostr/strictjson"
)

const (
	maxIDLength = 64 // of an id worth repeating, in bytes
	maxNesting  = 32 // of values on the way to the id
)

// EventIDOf finds the id that a client gave its event, without reading the
// event: an OK must carry it even when the event is refused unread or has
// faults elsewhere. It returns the text of the first top-level id member as it
// was sent, which may not be hex at all, and false when there is none up to
// the first fault, or when it is not a string of 1 to 64 bytes.
func EventIDOf(body []byte) (id string, ok bool) {
	l := strictjson.New(body)
	if !l.Take('{') {
		return "", false
	}
	for {
		key, err := l.Key()
		if err != nil {
			return "", false
		}
		if key == "id" {
			id, err := l.String()
			if err != nil || id == "" || len(id) > maxIDLength {
				return "", false
			}
			return strings.Clone(id), true
		}
		if l.Skip(maxNesting) != nil || !l.Take(',') {
			return "", false
		}
	}
}
