package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
)

// position is the last event that a query has dealt with. Of a query that reads no
// ids it is the last key: the first 8 bytes of the id, and as large a rest as there
// is, because such a query never stops between tied keys.
type position struct {
	createdAt int64
	id        nostr.EventID
}

// endOf returns the position behind all keys that are tied with s, in either
// direction.
func endOf(s suffix) position {
	p := position{createdAt: s.createdAt()}
	binary.BigEndian.PutUint64(p.id[:], s.id8)
	for i := 8; i < len(p.id); i++ {
		p.id[i] = 0xff
	}
	return p
}

// cursor is what a query has reached: everything up to a position, how many events
// each filter may still yield, and what is known of those that are not returned.
// Encoded it is
//
//	1 byte version
//	1 byte flags: 1 ascending, 2 there is a position, 4 an event is missing,
//	  8 something may be missing, and from 16 on what is wanted (2 bits)
//	8 bytes created_at and 32 bytes id, if there is a position
//	uvarint number of filters, and for each
//	  1 byte phase
//	  uvarint events left, if the phase has a number
//	4 bytes CRC-32 of all that
//
// The CRC is against mix-ups, not against malice: whoever forges a cursor gets
// other events than he would have got, of those that his filters match and that he
// may read.
type cursor struct {
	started   bool // there is a position
	pos       position
	ascending bool
	want      relaypb.Want
	quotas    []quota
	more      bool // a visible event that matches is not returned
	unsure    bool // there may be one
}

const (
	cursorVersion   = 2
	cursorAscending = 1
	cursorPosition  = 2
	cursorMore      = 4
	cursorUnsure    = 8
	cursorWantShift = 4
	cursorFlags     = 1<<(cursorWantShift+2) - 1
)

func (c *cursor) encode() []byte {
	flags := byte(c.want) << cursorWantShift
	for _, f := range []struct {
		set bool
		bit byte
	}{{c.ascending, cursorAscending}, {c.started, cursorPosition}, {c.more, cursorMore}, {c.unsure, cursorUnsure}} {
		if f.set {
			flags |= f.bit
		}
	}
	b := []byte{cursorVersion, flags}
	if c.started {
		b = binary.BigEndian.AppendUint64(b, uint64(c.pos.createdAt))
		b = append(b, c.pos.id[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(c.quotas)))
	for _, u := range c.quotas {
		b = append(b, byte(u.phase))
		if u.phase == tying || u.phase == limited {
			b = binary.AppendUvarint(b, uint64(u.left))
		}
	}
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// ErrCursor says that a cursor is not one that a scan of these filters in this
// direction, for the same purpose, returned.
var ErrCursor = errors.New("scan: bad cursor")

// decodeCursor reads the cursor of a request.
func decodeCursor(req *ScanRequest) (c cursor, err error) {
	b := req.Cursor
	if len(b) < 2+1+4 || b[0] != cursorVersion || b[1]&^cursorFlags != 0 {
		return cursor{}, ErrCursor
	}
	body, flags := b[:len(b)-4], b[1]
	if binary.BigEndian.Uint32(b[len(body):]) != crc32.ChecksumIEEE(body) {
		return cursor{}, ErrCursor
	}
	c.ascending, c.more, c.unsure = flags&cursorAscending != 0, flags&cursorMore != 0, flags&cursorUnsure != 0
	c.want = relaypb.Want(flags >> cursorWantShift)
	rest := body[2:]
	if flags&cursorPosition != 0 {
		if len(rest) < 8+32 {
			return cursor{}, ErrCursor
		}
		c.started, c.pos = true, position{int64(binary.BigEndian.Uint64(rest)), nostr.EventID(rest[8:40])}
		rest = rest[40:]
	}
	count, n := binary.Uvarint(rest)
	if n <= 0 || count != uint64(len(req.Filters)) || c.ascending != req.Ascending || c.want != req.Want || c.pos.createdAt < 0 {
		return cursor{}, ErrCursor
	}
	rest = rest[n:]
	for range req.Filters {
		var u quota
		if u, rest = decodeQuota(rest); rest == nil {
			return cursor{}, ErrCursor
		}
		c.quotas = append(c.quotas, u)
	}
	// One cursor has one form: no needless bytes in a uvarint, none at the end.
	if !bytes.Equal(c.encode(), b) {
		return cursor{}, ErrCursor
	}
	return c, nil
}

// decodeQuota reads a quota and returns what follows it, nil if it is none.
func decodeQuota(b []byte) (u quota, rest []byte) {
	if len(b) == 0 || b[0] > byte(unlimited) {
		return quota{}, nil
	}
	u.phase, rest = phase(b[0]), b[1:]
	if u.phase == tying || u.phase == limited {
		left, n := binary.Uvarint(rest)
		if n <= 0 || left == 0 || left > math.MaxInt {
			return quota{}, nil
		}
		u.left, rest = int(left), rest[n:]
	}
	return u, rest
}
