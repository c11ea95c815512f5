package replay

import (
	"errors"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// maxOpen bounds the questions that are not answered yet, of which each takes some
// hundred bytes.
const maxOpen = 1 << 20

// errTooMany says that a recording has more open questions than memory is meant for.
var errTooMany = errors.New("the recording has more than a million questions open at once; take a piece of it")

// core is what is known of the questions of a recording, and every decision about
// them. It does no I/O: what is to be said goes to send. It belongs to one goroutine.
type core struct {
	under subject.Stage // under test; empty: a whole relay
	space subject.Space // of the bus that is played on
	self  subject.Instance
	then  subject.Space // of the recording
	send  func(subj string, m proto.Message)
	tell  func(Difference)

	began  time.Time // of the recording
	at     time.Time // of the message in hand, in the recording
	now    time.Time // on the wall
	before bool      // the store had events before the recording began

	redacted  bool // the recording: its AUTHs say nothing any more
	elsewhere bool // the stages under test go by a clock of their own

	nums     uint64
	asked    map[key]*question
	mine     map[uint64]*question
	owed     map[*question]bool
	first    map[subject.Instance]uint64 // the lowest number of each gateway
	lives    *lives
	moves    uint64                        // events asked about and settled so far
	flying   map[string]map[*question]bool // events under way, by author
	running  map[place][]*question         // queries
	tokens   map[place][]token
	latest   map[item]*question // query of equal filters
	tidied   time.Time
	halted   []*question
	detached map[subject.Instance][]*question // subscriptions whose number was given up
	monitors map[uint32]uint64                // of the replay: the number of the next Deliveries
	removed  [2]map[item][]item               // in the recording, in the replay: with which event
	chains   []*question
	doubts   []doubt
	head     uint64 // of the log that is played on, as known last
	logs     *logs
	logFrom  uint64 // of the recorded log, as seen last
	ask      func(*relaypb.Scan, *question)
	explain  func() string // why an answer may be missing; may be nil

	result Result
}

func newCore(under subject.Stage, space, then subject.Space, self subject.Instance) *core {
	return &core{
		under: under, space: space, then: then, self: self,
		asked: make(map[key]*question), mine: make(map[uint64]*question), owed: make(map[*question]bool),
		first: make(map[subject.Instance]uint64), lives: newLives(), logs: newLogs(), flying: make(map[string]map[*question]bool),
		latest: make(map[item]*question), running: make(map[place][]*question), tokens: make(map[place][]token), monitors: make(map[uint32]uint64),
		detached: make(map[subject.Instance][]*question),
		removed:  [2]map[item][]item{make(map[item][]item), make(map[item][]item)},
	}
}

// keyOf is the identity of what a connection asked under a number.
func keyOf(conn, num uint64) key { return key{subject.ConnID(conn).Gateway(), num} }

// connOf is a recorded connection's id in the replay: of this process, and in all
// shards alike. Two of them may fall together, once in thousands of millions, which
// costs nothing, since answers go by numbers.
func (c *core) connOf(conn uint64) uint64 {
	x := conn
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	x ^= x >> 32
	return uint64(subject.MakeConnID(c.self, uint32(x)))
}

func (c *core) shardOf(conn uint64) subject.Shard { return c.space.ShardOf(subject.ConnID(conn)) }

// begin makes a question that is asked in the replay under a number of its own.
func (c *core) begin(k kind, conn, num uint64, text []byte) *question {
	q := &question{kind: k, key: keyOf(conn, num), conn: subject.ConnID(conn), asked: c.at, text: excerpt(text), events: c.moves}
	if low, known := c.first[q.key.gateway]; !known || num < low {
		c.first[q.key.gateway] = num
	}
	c.asked[q.key] = q
	c.result.Asked[k]++
	c.number(q)
	return q
}

// number gives a question a new number in the replay.
func (c *core) number(q *question) {
	delete(c.mine, q.mine)
	c.nums++
	q.mine = c.nums
	c.mine[q.mine] = q
}

// recorded returns the question that a recorded answer is for, nil when that was
// asked before the recording began, or has been dealt with.
func (c *core) recorded(gateway subject.Instance, num uint64) *question {
	q := c.asked[key{gateway, num}]
	if low, known := c.first[gateway]; q == nil && c.under == "" && (!known || num < low) {
		c.result.Foreign++
	}
	return q
}

// progress notes that the replay has answered something.
func (c *core) progress(q *question) {
	q.owed = time.Time{}
	c.weigh(q)
}

// weigh notes whether the replay owes an answer, and ends a question that has both.
func (c *core) weigh(q *question) {
	if q.behind() {
		if q.owed.IsZero() {
			q.owed = c.now
		}
		c.owed[q] = true
		return
	}
	delete(c.owed, q)
	if q.recorded.over && (q.replayed.over || q.mine == 0 || q.lost) {
		c.finish(q)
	}
}

// giveUp stops waiting for what has been owed for so long, and returns how soon to
// look again; 0 when nothing is owed any more.
func (c *core) giveUp(patience time.Duration) (next time.Duration, given int) {
	for q := range c.owed {
		left := patience - c.now.Sub(q.owed)
		if left <= 0 {
			q.lost = true
			given++
			c.weigh(q)
			continue
		}
		if next == 0 || left < next {
			next = left
		}
	}
	return next, given
}

// finish compares a question's answers and forgets it.
func (c *core) finish(q *question) {
	if q.finished {
		return
	}
	q.finished = true
	if c.asked[q.key] == q {
		delete(c.asked, q.key)
	}
	delete(c.mine, q.mine)
	delete(c.owed, q)
	c.land(q)
	if q.mine == 0 {
		c.result.count(unfinished)
		return
	}
	if q.replayed.over || len(q.replayed.items) > 0 || q.watch != nil && q.watch.confirmedNow {
		c.result.Answered++
	}
	if v, _ := c.compare(q); v == different || v == unanswered {
		c.doubts = append(c.doubts, doubt{q, c.at})
		return
	}
	c.judge(q)
}

func (c *core) judge(q *question) {
	v, d := c.compare(q)
	c.result.count(v)
	if d != nil && c.tell != nil {
		c.tell(*d)
	}
}

// doubt is a question whose answers differ, by what is known so far: what was under
// way when it was asked may be told only later.
type doubt struct {
	q  *question
	at time.Time // in the recording
}

// doubtKept is how long, in the recording, an event may be under way.
const doubtKept = 12 * time.Second

// judgeDoubts decides about those from before a time of the recording, all of them
// if it is zero.
func (c *core) judgeDoubts(before time.Time) {
	for len(c.doubts) > 0 && (before.IsZero() || c.doubts[0].at.Before(before)) {
		c.judge(c.doubts[0].q)
		c.doubts = c.doubts[1:]
	}
}

// end closes what is open when the recording is at its end.
func (c *core) end() {
	c.settleHalted(time.Time{})
	for _, q := range c.open() {
		c.finish(q)
	}
	c.judgeDoubts(time.Time{})
}

// open returns all questions that are open, in the order in which they were asked.
func (c *core) open() []*question {
	list := make([]*question, 0, len(c.mine))
	for _, num := range slices.Sorted(maps.Keys(c.mine)) {
		list = append(list, c.mine[num])
	}
	return list
}

// gone ends what a gateway had open that has ended in the recording.
func (c *core) gone(gateway subject.Instance) {
	for _, q := range c.open() {
		if q.key.gateway == gateway && q.kind != askedScan {
			c.abandon(q)
		}
	}
}

// abandon ends a question that its asker does not want answered any more.
func (c *core) abandon(q *question) {
	switch {
	case q.kind == askedWatch:
		c.endWatch(q)
		return
	case q.query != nil && !q.replayed.over && q.mine != 0:
		c.sendStop(q)
	}
	q.recorded.close(stopped)
	q.replayed.close(stopped)
	c.weigh(q)
}

// waiting says whether the replay has a question to answer that the recording has no
// answer to, as it ended.
func (c *core) waiting() bool {
	for _, q := range c.mine {
		if q.behind() || !q.replayed.over && (q.kind == askedEvent || q.kind == askedAuth || q.kind == askedCount) && !q.lost {
			return true
		}
	}
	return false
}

// oldest is when the oldest question was asked that the replay has not answered; the
// zero time if there is none.
func (c *core) oldest() (at time.Time) {
	for _, q := range c.mine {
		if !q.replayed.over && (at.IsZero() || q.asked.Before(at)) {
			at = q.asked
		}
	}
	return at
}

// overdue is when the oldest question was asked that is owed an answer since before a
// time; the zero time if there is none.
func (c *core) overdue(before time.Time) (at time.Time) {
	for q := range c.owed {
		if q.owed.Before(before) && (at.IsZero() || q.asked.Before(at)) {
			at = q.asked
		}
	}
	return at
}
