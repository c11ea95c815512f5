package bus

import (
	"context"
	"errors"
	"math"
	"time"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// Follower reads the log without holes: what the writer publishes, and by range
// what was missed (at the start, after a loss, when the reader was slow).
//
// Run drives it, in one goroutine of its own; C is its output. While the reader
// does not read, the follower waits and what is published meanwhile overflows its
// inbox, which is a hole like any other.
type Follower struct {
	bus    *Bus
	roster *Roster
	inbox  *Inbox[*relaypb.LogInbox]
	out    chan *relaypb.Entries

	store  uint64
	next   uint64           // the first Seq not delivered; 0 before the start
	writer subject.Instance // that was heard of last
}

// How the follower asks for ranges.
const (
	fetchBytes   = 256 << 10
	fetchTimeout = 3 * time.Second
	fetchRetry   = 100 * time.Millisecond
	tailPatience = 250 * time.Millisecond
)

// NewFollower returns a follower that starts behind `after`; Head starts at the
// end of the log. Buffer is how many batches wait for the reader.
func NewFollower(b *Bus, r *Roster, after subject.Seq, buffer int) *Follower {
	f := &Follower{bus: b, roster: r, out: make(chan *relaypb.Entries, buffer)}
	f.inbox = Listen(b, func() *relaypb.LogInbox { return new(relaypb.LogInbox) }, 1024)
	if after != Head {
		f.next = uint64(after) + 1
	}
	return f
}

// MeasureHops has an observer told how long what the writer publishes took until
// it was read. It is called before Run.
func (f *Follower) MeasureHops(to Observer) { f.inbox.MeasureHops(to) }

// Waiting is how many bus messages of the log have arrived and not been read. It is
// safe for concurrent use.
func (f *Follower) Waiting() int { return f.inbox.Waiting() }

// Head as a starting point means the end of the log.
const Head = subject.Seq(math.MaxUint64)

// C delivers the log: each batch begins where the one before ended. The first may
// be empty and tells the position. A batch whose Store differs from the one
// before, or whose From does not continue it, begins another history (the store
// was replaced or restored): what the reader knew is void. It is never closed.
func (f *Follower) C() <-chan *relaypb.Entries { return f.out }

// Run follows the log until ctx ends. It returns an error only when it cannot
// listen.
func (f *Follower) Run(ctx context.Context) error {
	if err := f.inbox.Add(f.bus.Space.Log()); err != nil {
		return err
	}
	defer f.inbox.Close()
	changes := f.roster.Changes()
	tail := time.NewTimer(time.Hour)
	defer tail.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case msg := <-f.inbox.C():
			f.inbox.Each(msg, func(m *relaypb.LogInbox) {
				if e := m.GetEntries(); e != nil {
					f.take(ctx, e)
				}
			})
		case <-changes:
			// A writer's announcement may overtake what it published: look again
			// shortly, and fetch only what is missing then.
			if f.behind() {
				tail.Reset(tailPatience)
			}
		case <-tail.C:
			if f.behind() && f.inbox.Waiting() == 0 {
				f.fetch(ctx, math.MaxUint64)
			}
		}
	}
}

// behind says whether there is something to fetch: the writer's last announcement
// is beyond what was read, or is a new writer's that has less than that, because
// its store was restored from an older copy.
func (f *Follower) behind() bool {
	for _, w := range f.roster.View().Members(subject.Writer) {
		if w.Store == 0 {
			continue
		}
		restored := subject.Instance(w.Instance) != f.writer && f.writer != 0 && w.Seq+1 < f.next
		if !restored {
			f.writer = subject.Instance(w.Instance)
		}
		if f.next == 0 || w.Store != f.store || w.Seq >= f.next || restored {
			return true
		}
	}
	return false
}

// take delivers a published batch, fetching first what lies before it.
func (f *Follower) take(ctx context.Context, e *relaypb.Entries) {
	if e.Store != f.store && f.store != 0 || f.next == 0 || e.From > f.next {
		f.fetch(ctx, e.From)
	}
	if e.Store == f.store && e.Next > f.next && e.From <= f.next {
		f.deliver(ctx, e)
	}
}

// deliver passes on what is new of e.
func (f *Follower) deliver(ctx context.Context, e *relaypb.Entries) {
	for len(e.Entries) > 0 && e.Entries[0].Seq < f.next {
		e.Entries = e.Entries[1:]
	}
	if e.From < f.next {
		e.From = f.next
	}
	f.next = e.Next
	select {
	case f.out <- e:
	case <-ctx.Done():
	}
}

// fetch reads by range until f.next reaches upto or the log's end, trying again
// for as long as there is a writer to ask.
func (f *Follower) fetch(ctx context.Context, upto uint64) {
	for ctx.Err() == nil && (f.next < upto || f.next == 0) {
		from := f.next
		if from == 0 {
			from = math.MaxUint64
		}
		e, err := f.ask(ctx, from)
		if err != nil {
			if len(f.roster.View().Members(subject.Writer)) == 0 {
				return // its announcement starts this again
			}
			select {
			case <-ctx.Done():
			case <-time.After(fetchRetry):
			}
			continue
		}
		switch {
		case f.next == 0 || e.Store != f.store || e.From < f.next:
			f.restart(ctx, e)
		case e.Next <= f.next:
			return // at the end
		default:
			f.deliver(ctx, e)
		}
		if f.next > e.Head {
			return
		}
	}
}

// restart begins another history, at the end of its log if it was in the middle
// of one before.
func (f *Follower) restart(ctx context.Context, e *relaypb.Entries) {
	if f.next != 0 && f.store == 0 && e.From == f.next {
		f.store = e.Store // a first batch from a given position
		f.deliver(ctx, e)
		return
	}
	f.store, f.next, f.writer = e.Store, e.Head+1, 0
	select {
	case f.out <- &relaypb.Entries{Store: e.Store, From: f.next, Next: f.next, Head: e.Head}:
	case <-ctx.Done():
	}
}

func (f *Follower) ask(ctx context.Context, from uint64) (*relaypb.Entries, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	reply := new(relaypb.LogInbox)
	if err := f.bus.Request(ctx, f.bus.Space.LogFetch(), &relaypb.LogFetch{From: from, MaxBytes: fetchBytes}, reply); err != nil {
		return nil, err
	}
	e := reply.GetEntries()
	switch {
	case e == nil:
		return nil, errors.New("bus: the log's answer is empty")
	case e.Error != "":
		return nil, errors.New(e.Error)
	case e.Next < e.From, e.Next > e.Head+1:
		return nil, errors.New("bus: the log's answer is not a range")
	}
	return e, nil
}
