package store

import (
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"rhea/proto/nostr"
)

// checkTombstones checks that every tombstone is one, and that every author whose
// request to vanish is still being carried out has its tombstone. It gets ready
// what the events are then checked against.
func (c *checker) checkTombstones() (err error) {
	c.tombstones.from = c.snap
	if err := c.each(spaceDeletion, func(key, value []byte) error {
		c.rep.Deletions++
		if _, err := decodeTime(value); err != nil || !isDeletion(key) {
			c.problem("malformed tombstone: key %x, value %x", key, value)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := c.each(spaceVanish, func(key, value []byte) error {
		c.rep.Vanished++
		if _, err := decodeTime(value); err != nil || len(key) != vanishLen {
			c.problem("malformed tombstone: key %x, value %x", key, value)
		}
		return nil
	}); err != nil {
		return err
	}
	c.vanishing = vanishing{}
	return c.each(spaceVanishing, func(key, value []byte) error {
		c.rep.Vanishing++
		until, err := decodeTime(value)
		if err != nil || len(key) != vanishLen {
			c.problem("keyspace %c: malformed key %x, value %x", spaceVanishing, key, value)
			return nil
		}
		author := nostr.PubKey(key[1:])
		c.vanishing[author] = until
		b, closer, err := c.snap.Get(appendVanish(nil, spaceVanish, author))
		if errors.Is(err, pebble.ErrNotFound) {
			c.problem("%x is vanishing, and there is no tombstone", author)
			return nil
		}
		if err != nil {
			return err
		}
		if at, err := decodeTime(b); err == nil && at != until {
			c.problem("%x is vanishing up to %d, the tombstone says %d", author, until, at)
		}
		return closer.Close()
	})
}

// isDeletion reports whether a key in spaceDeletion is that of an id or of an
// address.
func isDeletion(key []byte) bool {
	if len(key) < 2 {
		return false
	}
	const fixed = 2 + 32 + 2
	switch {
	case key[1] == deletedID:
		return len(key) == deletedIDLen
	case key[1] != deletedAddress || len(key) < fixed:
		return false
	}
	kind, d := nostr.Kind(binary.BigEndian.Uint16(key[2+32:])), key[fixed:]
	if !kind.IsAddressable() {
		return kind.IsReplaceable() && len(d) == 0
	}
	if len(d) == 0 {
		return false
	}
	if d[0] == tagPacked || d[0] == tagHashed {
		return len(d) == maxTagInIndex
	}
	return d[0] <= maxRawTag && len(d) == 1+int(d[0])
}
