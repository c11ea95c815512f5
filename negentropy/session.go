package negentropy

import (
	"container/list"
	"context"
	"time"

	"rhea/proto/negentropy"
	"rhea/proto/nostr"
	"rhea/proto/subject"
)

// session is a negentropy session of a client. All that it needs between messages
// is its set: the protocol keeps its state in the messages.
type session struct {
	conn   subject.ConnID
	num    uint64
	shard  subject.Shard
	filter nostr.Filter // from plan on without its lists
	keys   []nostr.PubKey

	scan   *scan          // while the set is being read
	set    negentropy.Set // afterwards
	asking bool           // the scan is to tell next
	next   subject.Seq    // the first that the mirror may lack for the session; 0: not known yet
	origin *tree          // the mirror's tree that the set was taken out of; nil if it was not
	copied int            // nodes of origin, then

	message []byte // to be answered; nil when it is the client's turn
	turn    uint32 // of that, or of the last one

	state state
	since time.Time // the last message, or the last answer
	began time.Time
	bytes int           // as counted in core.bytes
	place *list.Element // in a line, while it waits there

	life    context.Context // ends with the session
	abandon context.CancelFunc
}

type state uint8

const (
	forTree   state = iota // waits until the mirror has a tree, and has come far enough
	opening                // its set is being read, or it waits for that
	answering              // its message is being answered, or it waits for that
	idle                   // it is the client's turn
	ended                  // forgotten; a slice or an answer may still be under way
	states
)

// key identifies a session: numbers are unique in a gateway's life.
type key struct {
	gateway subject.Instance
	num     uint64
}

func (s *session) key() key { return key{s.conn.Gateway(), s.num} }

// pending reports whether a message of the session waits for its answer.
func (s *session) pending() bool { return s.state < idle }

// line is sessions that wait for one of a number of workers, in turn.
type line struct {
	waiting list.List // of *session
	busy    int       // workers, those of ended sessions included
	workers int
}

func (l *line) join(s *session) { s.place = l.waiting.PushBack(s) }

func (l *line) leave(s *session) {
	l.waiting.Remove(s.place)
	s.place = nil
}

// next returns the session whose turn it is, if there is one and a worker for it.
func (l *line) next() *session {
	if l.busy >= l.workers || l.waiting.Len() == 0 {
		return nil
	}
	s := l.waiting.Front().Value.(*session)
	l.leave(s)
	l.busy++
	return s
}
