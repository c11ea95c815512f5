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
	// Whether there are any of a kind. Most relays have some, and a small one that
	// has none pays nothing for them.
	ids, addresses, vanished bool
}

func openTombstones(from pebble.Reader) (t tombstones, err error) {
	t.from = from
	for _, c := range []struct {
		prefix []byte
		any    *bool
	}{
		{[]byte{spaceDeletion, deletedID}, &t.ids},
		{[]byte{spaceDeletion, deletedAddress}, &t.addresses},
		{[]byte{spaceVanish}, &t.vanished},
	} {
		it, err := from.NewIter(prefixed(c.prefix))
		if err != nil {
			return t, err
		}
		*c.any = it.First()
		if err := errors.Join(it.Error(), it.Close()); err != nil {
			return t, err
		}
	}
	return t, nil
}

// prefixed returns the options of an iterator over the keys with a prefix whose
// last byte is not 0xff.
func prefixed(prefix []byte) *pebble.IterOptions {
	end := append([]byte(nil), prefix...)
	end[len(end)-1]++
	return &pebble.IterOptions{LowerBound: prefix, UpperBound: end}
}

// forbid returns the verdict on an event that may not be stored, nil on any other.
// What an event's author may not have stored is the same whether it arrives
// before or after the request.
func (t *tombstones) forbid(h nostr.Header) (*Verdict, error) {
	switch kind := h.Kind(); {
	case !t.ids && !t.addresses && !t.vanished || kind == kindVanish:
		return nil, nil
	case kind == kindGiftWrap && (t.ids || t.vanished):
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
	if t.addresses && (h.Kind().IsReplaceable() || h.Kind().IsAddressable()) {
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
	if t.vanished {
		until, found, err := t.get(appendVanish(stack[:0], spaceVanish, owner))
		if found && h.CreatedAt() <= until {
			return &verdictVanished, nil
		}
		if err != nil {
			return nil, err
		}
	}
	if t.ids && h.Kind() != kindDeletion {
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
	switch {
	case key[0] == spaceVanish:
		t.vanished = true
	case key[1] == deletedID:
		t.ids = true
	default:
		t.addresses = true
	}
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
