package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"

	"rhea/proto/nostr"
)

// position is the last event that a query has dealt with.
type position struct {
	createdAt int64
	id        nostr.EventID
}

// cursor is what a query has reached: everything up to a position, and how many
// events each filter may still yield. Encoded it is
//
//	1 byte version, 1 byte flags (1: ascending, 2: there is a position)
//	8 bytes created_at and 32 bytes id, if there is a position
//	uvarint number of filters, and for each its limit + 1, or 0 for none
//	4 bytes CRC-32 of all that
//
// The CRC is against mix-ups, not against malice: whoever forges a cursor gets
// other events than he would have got, of those that his filters match.
type cursor struct {
	started   bool // there is a position
	pos       position
	ascending bool
	limits    []int
}

const (
	cursorVersion   = 1
	cursorAscending = 1
	cursorPosition  = 2
)

func (c cursor) encode() []byte {
	flags := byte(0)
	if c.ascending {
		flags |= cursorAscending
	}
	b := []byte{cursorVersion, flags}
	if c.started {
		b[1] |= cursorPosition
		b = binary.BigEndian.AppendUint64(b, uint64(c.pos.createdAt))
		b = append(b, c.pos.id[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(c.limits)))
	for _, n := range c.limits {
		b = binary.AppendUvarint(b, uint64(n+1))
	}
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// ErrCursor says that a cursor is not one that a scan of these filters in this
// direction returned.
var ErrCursor = errors.New("scan: bad cursor")

// decodeCursor reads a cursor for a number of filters.
func decodeCursor(b []byte, filters int, ascending bool) (c cursor, err error) {
	if len(b) < 2+1+4 || b[0] != cursorVersion || b[1]&^(cursorAscending|cursorPosition) != 0 {
		return cursor{}, ErrCursor
	}
	body := b[:len(b)-4]
	if binary.BigEndian.Uint32(b[len(body):]) != crc32.ChecksumIEEE(body) {
		return cursor{}, ErrCursor
	}
	c.ascending = b[1]&cursorAscending != 0
	rest := body[2:]
	if b[1]&cursorPosition != 0 {
		if len(rest) < 8+32 {
			return cursor{}, ErrCursor
		}
		c.started, c.pos = true, position{int64(binary.BigEndian.Uint64(rest)), nostr.EventID(rest[8:40])}
		rest = rest[40:]
	}
	count, n := binary.Uvarint(rest)
	if n <= 0 || count != uint64(filters) || c.ascending != ascending || c.pos.createdAt < 0 {
		return cursor{}, ErrCursor
	}
	rest = rest[n:]
	for range filters {
		limit, n := binary.Uvarint(rest)
		if n <= 0 || limit > math.MaxInt {
			return cursor{}, ErrCursor
		}
		c.limits = append(c.limits, int(limit)-1)
		rest = rest[n:]
	}
	// One cursor has one form: no needless bytes in a uvarint, none at the end.
	if !bytes.Equal(c.encode(), b) {
		return cursor{}, ErrCursor
	}
	return c, nil
}
