package store

import (
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"rhea/proto/nostr"
)

// tombstones says what may not be stored, because somebody who may ask for it has
// had it deleted (NIP-09) or has vanished (NIP-62). A tombstone's value is the
// created_at of the request, the largest if there were several.
type tombstones struct {
	from    pebble.Reader
	pending map[string]int64 // those of the batch in work, which from does not have yet
	// The ids that were deleted, and the keys of those who have deleted an address or
	// vanished. Few events are of one of those.
	known known
}

// Where in the key of a tombstone stands what known knows of it.
const (
	inDeletion = 2 // the id, or whose the address is
	inVanish   = 1 // who has vanished
)

// open begins to read whom tombstones concern.
func (t *tombstones) open(db *pebble.DB, failed func(error)) {
	t.known.open(db, failed, idsIn{within(spaceDeletion), inDeletion}, idsIn{within(spaceVanish), inVanish})
}

// forbid returns the verdict on an event that may not be stored, nil on any other.
// What an event's author may not have stored is the same whether it arrives
// before or after the request.
func (t *tombstones) forbid(h nostr.Header) (*Verdict, error) {
	switch kind := h.Kind(); {
	case kind == kindVanish:
		return nil, nil
	case kind == kindGiftWrap:
		for name, value := range h.Tags() {
			if b, packed := value.Packed(); name == 'p' && packed {
				if v, err := t.forbidTo(nostr.PubKey(b), h); v != nil || err != nil {
					return v, err
				}
			}
		}
	}
	if v, err := t.forbidTo(h.PubKey(), h); v != nil || err != nil {
		return v, err
	}
	if (h.Kind().IsReplaceable() || h.Kind().IsAddressable()) && t.known.may(nostr.EventID(h.PubKey())) {
		var stack, stack2 [maxAddressLen]byte
		until, found, err := t.get(appendDeletedAddress(stack[:0], appendHeadKey(stack2[:0], h)))
		if found && h.CreatedAt() <= until {
			return &verdictDeleted, nil
		}
		return nil, err
	}
	return nil, nil
}

// forbidTo is forbid as far as one of those goes to whom the event belongs.
func (t *tombstones) forbidTo(owner nostr.PubKey, h nostr.Header) (*Verdict, error) {
	var stack [deletedIDLen]byte
	if t.known.may(nostr.EventID(owner)) {
		until, found, err := t.get(appendVanish(stack[:0], spaceVanish, owner))
		if found && h.CreatedAt() <= until {
			return &verdictVanished, nil
		}
		if err != nil {
			return nil, err
		}
	}
	if h.Kind() != kindDeletion && t.known.may(h.ID()) {
		_, found, err := t.get(appendDeletedID(stack[:0], h.ID(), owner))
		if found {
			return &verdictDeleted, nil
		}
		return nil, err
	}
	return nil, nil
}

// get returns the value of a tombstone, and whether there is one.
func (t *tombstones) get(key []byte) (until int64, found bool, err error) {
	if until, found = t.pending[string(key)]; found {
		return until, true, nil
	}
	b, closer, err := t.from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	until, err = decodeTime(b)
	return until, err == nil, errors.Join(err, closer.Close())
}

// raise sets a tombstone, unless there is one of the same time or later.
func (t *tombstones) raise(b *pebble.Batch, key []byte, until int64) (raised bool, err error) {
	if old, found, err := t.get(key); err != nil || found && old >= until {
		return false, err
	}
	t.pending[string(key)] = until
	at := inDeletion
	if key[0] == spaceVanish {
		at = inVanish
	}
	t.known.add(nostr.EventID(key[at : at+len(nostr.EventID{})]))
	return true, b.Set(key, appendTime(nil, until), nil)
}

// appendTime appends a created_at as a value.
func appendTime(dst []byte, at int64) []byte { return binary.BigEndian.AppendUint64(dst, uint64(at)) }

func decodeTime(b []byte) (int64, error) {
	if len(b) != 8 || b[0] > 127 {
		return 0, errors.New("malformed time")
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}
