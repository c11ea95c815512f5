package record

import (
	"sync"

	"rhea/rhea/tap"
)

// queue is what has been heard and is not written yet. Its bound is in bytes,
// because bus messages have 20 bytes or a million.
type queue struct {
	mu      sync.Mutex
	waiting []tap.Message
	bytes   int64
	room    int64
	dropped uint64
	more    chan struct{} // receives after something has been put into it
}

// perMessage is what a message costs beside its bytes, roughly.
const perMessage = 200

func newQueue(room int64) *queue { return &queue{room: room, more: make(chan struct{}, 1)} }

// put adds a message, or counts it as dropped if there is no room.
func (q *queue) put(m tap.Message) {
	size := int64(len(m.Data) + perMessage)
	q.mu.Lock()
	if q.bytes+size > q.room {
		q.dropped++
		q.mu.Unlock()
		return
	}
	q.waiting, q.bytes = append(q.waiting, m), q.bytes+size
	q.mu.Unlock()
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// take returns all that waits; into is a slice to be used again. Its room is free
// at once: what is taken counts no more, so that up to twice the room is in memory.
func (q *queue) take(into []tap.Message) []tap.Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := q.waiting
	clear(into)
	q.waiting, q.bytes = into[:0], 0
	return taken
}

// lost returns how many messages were dropped so far.
func (q *queue) lost() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}
