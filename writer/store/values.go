package store

import (
	"encoding/binary"
	"errors"

	"rhea/proto/nostr"
	"rhea/proto/subject"
)

// A log value is
//
//	uvarint number of removed events, and for each its uvarint Seq, its uvarint
//	created_at and its 32-byte id
//	uvarint length of the header, and the header
//	the body, which stands for the JSON, up to the end
//
// An entry that is nothing but removals, and a stub, which is what stays of one
// whose own event was then removed, ends after a header length of 0.

// logValue is a log value: a decoded one, whose slices alias it, or what becomes one.
type logValue struct {
	removed []removed
	header  nostr.Header // empty if there is none (any more)
	json    []byte       // of an event that arrives, or is hot,
	body    []byte       // or the body of one that was read
}

// jsonLen returns the length of the JSON.
func (v *logValue) jsonLen() int { return len(v.json) + bodyJSONLen(v.header, v.body) }

// appendJSON appends the JSON.
func (v *logValue) appendJSON(dst []byte) ([]byte, error) {
	return appendBodyJSON(append(dst, v.json...), v.header, v.body)
}

// removed names an event that an entry removed.
type removed struct {
	place
	id nostr.EventID
}

func appendLogValue(dst []byte, v logValue) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(v.removed)))
	for _, r := range v.removed {
		dst = binary.AppendUvarint(dst, uint64(r.seq))
		dst = binary.AppendUvarint(dst, uint64(r.createdAt))
		dst = append(dst, r.id[:]...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(v.header)))
	dst = append(dst, v.header...)
	if len(v.json) > 0 {
		return appendBody(dst, v.header, v.json)
	}
	return append(dst, v.body...)
}

var errLogValue = errors.New("malformed log value")

// decodeLogValue reads a log value. The header is taken as it is: what the
// store wrote had been checked, and Pebble's checksums guard it since.
func decodeLogValue(b []byte) (v logValue, err error) {
	count, n := binary.Uvarint(b)
	if n <= 0 || count > uint64(len(b)) {
		return logValue{}, errLogValue
	}
	b = b[n:]
	for range count {
		seq, n := binary.Uvarint(b)
		if n <= 0 {
			return logValue{}, errLogValue
		}
		b = b[n:]
		at, n := binary.Uvarint(b)
		if n <= 0 || len(b) < n+32 {
			return logValue{}, errLogValue
		}
		v.removed = append(v.removed, removed{place{subject.Seq(seq), int64(at)}, nostr.EventID(b[n : n+32])})
		b = b[n+32:]
	}
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return logValue{}, errLogValue
	}
	v.header, v.body = b[n:n+int(size)], b[n+int(size):]
	return v, nil
}

// place is the value of the id keyspace: where an event is, and enough to order
// events that were found by id without reading them.
type place struct {
	seq       subject.Seq
	createdAt int64
}

const placeLen = 16

func (p place) appendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.seq))
	return binary.BigEndian.AppendUint64(dst, uint64(p.createdAt))
}

func decodePlace(b []byte) (place, error) {
	if len(b) != placeLen {
		return place{}, errors.New("malformed value in the id keyspace")
	}
	return place{subject.Seq(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint64(b[8:]))}, nil
}

// head is the value of the head keyspace: the stored version of a replaceable or
// addressable event, and all that is needed to tell which of two is newer.
type head struct {
	place
	id nostr.EventID
}

// beats reports whether h stays when other arrives (NIP-01: the newer wins, and
// of two with the same created_at the lower id).
func (h head) beats(other head) bool {
	if h.createdAt != other.createdAt {
		return h.createdAt > other.createdAt
	}
	return h.id.Compare(other.id) <= 0
}

func (h head) appendTo(dst []byte) []byte { return append(h.place.appendTo(dst), h.id[:]...) }

func decodeHead(b []byte) (head, error) {
	if len(b) != placeLen+32 {
		return head{}, errors.New("malformed value in the head keyspace")
	}
	p, err := decodePlace(b[:placeLen])
	return head{p, nostr.EventID(b[placeLen:])}, err
}

// state is what the writer knows of the store as a whole; it is written with
// every batch, under metaState.
type state struct {
	head      subject.Seq // the last one given
	events    uint64      // stored and indexed now
	forgotten uint64      // ephemeral entries that have been dropped from the log
}

func (s state) appendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.head))
	dst = binary.BigEndian.AppendUint64(dst, s.events)
	return binary.BigEndian.AppendUint64(dst, s.forgotten)
}

func decodeState(b []byte) (state, error) {
	if len(b) != 24 {
		return state{}, errors.New("malformed state in the meta keyspace")
	}
	return state{
		head:      subject.Seq(binary.BigEndian.Uint64(b)),
		events:    binary.BigEndian.Uint64(b[8:]),
		forgotten: binary.BigEndian.Uint64(b[16:]),
	}, nil
}

// passing is the value of the ephemeral keyspace.
type passing struct {
	at int64 // when it was committed, Unix milliseconds
	id nostr.EventID
}

func (p passing) appendTo(dst []byte) []byte {
	return append(binary.BigEndian.AppendUint64(dst, uint64(p.at)), p.id[:]...)
}

func decodePassing(b []byte) (passing, error) {
	if len(b) != 8+32 {
		return passing{}, errors.New("malformed value in the ephemeral keyspace")
	}
	return passing{int64(binary.BigEndian.Uint64(b)), nostr.EventID(b[8:])}, nil
}
