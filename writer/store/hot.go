package store

import (
	"sync/atomic"

	"rhea/proto/nostr"
	"rhea/proto/subject"
)

// hotEvents keeps events that were returned to queries, as they went out, since most
// queries ask for what is new, and so for what others have asked for. What the log
// holds of an event never changes, and a Seq is never given again: what stands here is
// right for every view whose indexes lead to it. It is safe for concurrent use.
//
// An event has one place only, by its Seq, so that those that follow one another, as
// the newest do, never push each other out.
type hotEvents struct {
	places []atomic.Pointer[hotEvent] // a power of two
	limit  int64
	used   atomic.Int64 // bytes
	hand   atomic.Uint64
}

type hotEvent struct {
	seq    subject.Seq
	header nostr.Header
	json   []byte
}

// hotPart is the part of Options.CacheBytes that hot events may take. Rejected: a quarter,
// which is no faster, and takes more memory than it is counted for (184 MB against 174 in
// all, of 88 MiB); half of it, with all but the newest kept packed, which is four times as
// many. Mentions cost a tenth less then (258 against 284 us in all), but a query by id,
// which finds its blocks less often, a third more (83 against 59).
const hotPart = 8

// What an event takes beside its header and JSON; the size of an event that places are
// made for; and the part of the limit that one event may take.
const (
	hotOverhead = 128
	hotUsual    = 1 << 10
	hotLargest  = 64
)

// newHotEvents returns an empty cache of about so many bytes.
func newHotEvents(limit int64) *hotEvents {
	places := 1
	for int64(places)*hotUsual < limit {
		places *= 2
	}
	return &hotEvents{places: make([]atomic.Pointer[hotEvent], places), limit: limit}
}

// at is where an event stands, if it is there.
func (h *hotEvents) at(seq uint64) *atomic.Pointer[hotEvent] {
	return &h.places[seq&uint64(len(h.places)-1)]
}

// get returns an event, nil if it is not there.
func (h *hotEvents) get(seq subject.Seq) *hotEvent {
	if e := h.at(uint64(seq)).Load(); e != nil && e.seq == seq {
		return e
	}
	return nil
}

// put takes an event in, and others out until it fits.
func (h *hotEvents) put(e *hotEvent) {
	if e.size() > h.limit/hotLargest {
		return
	}
	h.used.Add(e.size() - h.at(uint64(e.seq)).Swap(e).size())
	for range h.places {
		if h.used.Load() <= h.limit {
			return
		}
		h.used.Add(-h.at(h.hand.Add(1)).Swap(nil).size())
	}
}

func (e *hotEvent) size() int64 {
	if e == nil {
		return 0
	}
	return int64(len(e.header)+len(e.json)) + hotOverhead
}
