package store

import (
	"encoding/binary"
	"fmt"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// defaultLogBytes is what View.Log returns at most if it is not told.
const defaultLogBytes = 1 << 20

// What an entry counts beyond its header and JSON: as much as it takes in a message at
// the most, so that a range of stubs is bounded too.
const (
	entryOverhead = 24
	removedSize   = 57 // each
)

// Log returns the log from a Seq on, as relaypb.Entries describes: at least one
// entry if there is one, then as many as stay within maxBytes of headers, JSON
// and removals (0: 1 MiB). Events that the view hides count and are left out, as if
// they had been removed. from 0 is the same as 1. It fails for a range that begins
// behind the view's head + 1: such a follower knows another store, or this one
// before it lost something.
func (v *View) Log(from subject.Seq, maxBytes int) (*relaypb.Entries, error) {
	from = max(from, 1)
	if from > v.seq+1 {
		return nil, fmt.Errorf("log: %d is asked for, the store ends at %d", from, v.seq)
	}
	if maxBytes <= 0 {
		maxBytes = defaultLogBytes
	}
	res := &relaypb.Entries{Store: v.s.id, From: uint64(from), Next: uint64(v.seq) + 1, Head: uint64(v.seq)}
	o := within(spaceLog)
	o.LowerBound = appendSeqKey(nil, spaceLog, from)
	it, err := v.snap.NewIter(o)
	if err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	defer it.Close()
	size, first := 0, subject.Seq(0)
	for ok := it.First(); ok; ok = it.Next() {
		seq := subject.Seq(binary.BigEndian.Uint64(it.Key()[1:]))
		b, err := it.ValueAndErr()
		if err != nil {
			return nil, fmt.Errorf("log: entry %d: %w", seq, err)
		}
		if first == 0 {
			first = seq
		}
		value, err := decodeLogValue(append([]byte(nil), b...))
		if err != nil {
			return nil, fmt.Errorf("log: entry %d: %w", seq, err)
		}
		size += entryOverhead + len(value.header) + value.jsonLen() + removedSize*len(value.removed)
		if size > maxBytes && seq != first {
			res.Next = uint64(seq)
			break
		}
		if v.hides() && len(value.header) > 0 && v.hidden(value.header) {
			// As if its removal, which comes later, had been carried out.
			if len(value.removed) == 0 {
				continue
			}
			value.header, value.body = nil, nil
		}
		json, err := value.appendJSON(make([]byte, 0, value.jsonLen()))
		if err != nil {
			return nil, fmt.Errorf("log: entry %d: %w", seq, err)
		}
		value.json = json
		res.Entries = append(res.Entries, entryOf(seq, value))
	}
	if err := it.Error(); err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	return res, nil
}

// entryOf returns a log value as it goes out. It shares the memory of v.
func entryOf(seq subject.Seq, v logValue) *relaypb.Entry {
	e := &relaypb.Entry{Seq: uint64(seq), Header: v.header, Json: v.json}
	for _, r := range v.removed {
		e.Removed = append(e.Removed, &relaypb.Removed{Seq: uint64(r.seq), Id: r.id[:], CreatedAt: r.createdAt})
	}
	return e
}
