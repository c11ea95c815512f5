package bus

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/beat"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// The rhythm of announcements. A crash that nobody reports is noticed after
// deadAfter of silence, which leaves room for three announcements to be lost or
// late, and is within the three seconds that the design allows.
const (
	announceEvery = beat.Every
	deadAfter     = 2200 * time.Millisecond
	settleTime    = 250 * time.Millisecond
)

// maxMembers bounds how many processes a roster knows.
const maxMembers = 1024

// Roster is a process's knowledge of who is on the bus, and its own announcement.
// Run drives it; the other methods are safe for concurrent use.
type Roster struct {
	bus    *Bus
	report func(*relaypb.Member)
	view   atomic.Pointer[View]

	mu       sync.Mutex
	self     *relaypb.Member // nil for one who only looks on
	watchers []chan struct{}
	kick     chan struct{} // announce now
	settled  chan struct{}

	seen  map[subject.Instance]seenMember // Run's alone, as what follows
	inbox *Inbox[*relaypb.Member]
	heard bool // its own announcement has come back
}

type seenMember struct {
	m  *relaypb.Member
	at time.Time
}

// NewRoster returns the roster of a process of the given stage. Report, which may
// be nil, is called before each announcement, from Run's goroutine, to fill in
// Seq, Store and Stats. An empty stage looks on without announcing anything.
func NewRoster(b *Bus, stage subject.Stage, version string, report func(*relaypb.Member)) *Roster {
	r := &Roster{
		bus: b, report: report,
		kick: make(chan struct{}, 1), settled: make(chan struct{}),
		seen: make(map[subject.Instance]seenMember),
	}
	if stage != "" {
		host, _ := os.Hostname()
		r.self = &relaypb.Member{
			Stage: string(stage), Instance: uint32(b.Instance), Host: host, Pid: int32(os.Getpid()),
			Version: version, Started: time.Now().UnixMilli(), Shards: uint32(b.Space.Shards()),
		}
	}
	r.view.Store(newView(b.Space.Shards(), nil))
	return r
}

// View returns what is known now.
func (r *Roster) View() *View { return r.view.Load() }

// Changes returns a channel that receives after the view has changed, or after a
// writer has announced itself; several changes may give one receive.
func (r *Roster) Changes() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := make(chan struct{}, 1)
	c <- struct{}{}
	r.watchers = append(r.watchers, c)
	return c
}

// Settled is closed when everybody on the bus has had time to answer this
// process's Hello.
func (r *Roster) Settled() <-chan struct{} { return r.settled }

// SetOwned announces the shards that this process listens on, at once.
func (r *Roster) SetOwned(shards []subject.Shard) {
	r.mu.Lock()
	r.self.Owned = r.self.Owned[:0]
	for _, sh := range shards {
		r.self.Owned = append(r.self.Owned, uint32(sh))
	}
	slices.Sort(r.self.Owned)
	r.mu.Unlock()
	r.Announce()
}

// Leave announces, at once, that this process will own nothing any more: others
// take its shards over while it finishes what it has.
func (r *Roster) Leave() {
	r.mu.Lock()
	r.self.Leaving = true
	r.mu.Unlock()
	r.Announce()
}

// Announce has Run announce this process soon, not at the next beat.
func (r *Roster) Announce() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// Run announces and listens until ctx ends, and says that the process is gone
// before it returns. It fails when this process cannot be part of the deployment:
// others have another number of shards, or the same instance, or NATS does not let
// it announce itself.
func (r *Roster) Run(ctx context.Context) error {
	r.inbox = Listen(r.bus, func() *relaypb.Member { return new(relaypb.Member) }, 4096)
	r.inbox.conn, r.inbox.read = r.bus.control, readAnnounced
	hello := Listen(r.bus, func() *relaypb.Hello { return new(relaypb.Hello) }, 16)
	hello.conn = r.bus.control
	defer r.inbox.Close()
	defer hello.Close()
	if err := r.inbox.Add(r.bus.Space.Members()); err != nil {
		return err
	}
	if r.self != nil {
		if err := hello.Add(r.bus.Space.Hello()); err != nil {
			return err
		}
	}
	r.bus.Publish(r.bus.Space.Hello(), &relaypb.Hello{})
	tick := beat.NewTicker(announceEvery)
	defer tick.Stop()
	settle := time.NewTimer(settleTime)
	defer settle.Stop()
	r.announce()
	for {
		select {
		case <-ctx.Done():
			r.goodbye()
			return nil
		case msg := <-r.inbox.C():
			if err := r.hear(msg); err != nil {
				return err
			}
		case <-hello.C():
			r.announce()
		case <-r.kick:
			r.announce()
		case <-settle.C:
			if err := r.muzzled(); err != nil {
				return err
			}
			r.settle()
		case <-tick.C:
			tick.Next()
			if err := r.muzzled(); err != nil {
				return err
			}
			if err := r.bury(); err != nil {
				return err
			}
			r.announce()
		}
	}
}

// settle says, here and on the bus, that everybody has had time to be heard.
func (r *Roster) settle() {
	close(r.settled)
	if r.self == nil {
		return
	}
	r.mu.Lock()
	r.self.Settled = true
	r.mu.Unlock()
	r.announce()
}

func (r *Roster) announce() {
	if r.self == nil {
		return
	}
	r.mu.Lock()
	m := proto.Clone(r.self).(*relaypb.Member)
	r.mu.Unlock()
	if r.report != nil {
		r.report(m)
	}
	r.bus.Publish(r.bus.Space.Member(subject.Stage(m.Stage)), m)
}

// muzzled finds out whether this process has been refused its announcement: nobody
// would ever give it work, and nobody would know why.
func (r *Roster) muzzled() error {
	if r.self == nil || r.heard || r.bus.Refused() == 0 {
		return nil
	}
	return fmt.Errorf("%w: to announce itself as %s; is this another's certificate, or are these another's credentials?", ErrForbidden, r.self.Stage)
}

func (r *Roster) goodbye() {
	if r.self == nil {
		return
	}
	r.mu.Lock()
	r.self.Leaving, r.self.Gone, r.self.Owned = true, true, nil
	r.mu.Unlock()
	r.announce()
}

// hear takes in all announcements that wait, then publishes one new view.
func (r *Roster) hear(msg *Message) error {
	now, changed := time.Now(), false
	for {
		var fatal error
		r.inbox.Each(msg, func(m *relaypb.Member) {
			news, err := r.take(m, now)
			changed = changed || news
			if err != nil {
				fatal = err
			}
		})
		if fatal != nil {
			return fatal
		}
		select {
		case msg = <-r.inbox.C():
			continue
		default:
		}
		break
	}
	if changed {
		r.publish()
	}
	return nil
}

// take notes one announcement and says whether it is news.
func (r *Roster) take(m *relaypb.Member, now time.Time) (bool, error) {
	i := subject.Instance(m.Instance)
	if !slices.Contains(subject.Stages(), subject.Stage(m.Stage)) || i == 0 {
		return false, nil
	}
	if err := r.conflict(m); err != nil {
		return false, err
	}
	if int(m.Shards) != r.bus.Space.Shards() && !m.Gone {
		return false, nil // it came later, and goes by itself
	}
	r.heard = r.heard || i == r.bus.Instance
	old, known := r.seen[i]
	if m.Gone {
		delete(r.seen, i)
		return known, nil
	}
	if !known && len(r.seen) >= maxMembers {
		return false, nil
	}
	r.seen[i] = seenMember{m, now}
	news := !known || m.Stage == string(subject.Writer) ||
		old.m.Leaving != m.Leaving || !slices.Equal(old.m.Owned, m.Owned)
	return news, nil
}

// conflict finds out whether this process must give way: one that has just come,
// or, of two who have, or have not, the younger by the clocks of their machines. A
// newcomer with a wrong setting thus ends no relay that runs, whatever its clock says.
func (r *Roster) conflict(m *relaypb.Member) error {
	if r.self == nil || m.Gone {
		return nil
	}
	yields := r.self.Started > m.Started || r.self.Started == m.Started && r.self.Instance > m.Instance
	if r.self.Settled != m.Settled {
		yields = m.Settled
	}
	switch {
	case m.Instance == r.self.Instance && (m.Pid != r.self.Pid || m.Host != r.self.Host || m.Stage != r.self.Stage):
		if r.self.Started >= m.Started {
			return fmt.Errorf("bus: instance %s is taken by a %s on %s; start again", r.bus.Instance, m.Stage, m.Host)
		}
	case m.Shards != r.self.Shards && yields:
		return fmt.Errorf("bus: this deployment has %d shards (says a %s on %s), and this process is configured for %d", m.Shards, m.Stage, m.Host, r.self.Shards)
	}
	return nil
}

// bury forgets who has been silent for too long. What has arrived is heard first,
// so a process that was itself stopped for a while does not bury the living.
func (r *Roster) bury() error {
	select {
	case msg := <-r.inbox.C():
		if err := r.hear(msg); err != nil {
			return err
		}
	default:
	}
	now, changed := time.Now(), false
	for i, s := range r.seen {
		if now.Sub(s.at) > deadAfter {
			delete(r.seen, i)
			changed = true
			r.bus.Log.Warn("a process is silent and taken for dead", "stage", s.m.Stage, "instance", i.String(), "host", s.m.Host)
		}
	}
	if changed {
		r.publish()
	}
	return nil
}

func (r *Roster) publish() {
	list := make([]*relaypb.Member, 0, len(r.seen))
	for _, s := range r.seen {
		list = append(list, s.m)
	}
	r.view.Store(newView(r.bus.Space.Shards(), list))
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.watchers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// While runs the roster beside body: body's context ends when ctx ends, the
// roster fails or the bus is closed for good, and the roster goes on until body
// has returned, so that this process says it is gone as its last word. It returns
// the roster's or the bus's error, if there is one, or else body's.
func (r *Roster) While(ctx context.Context, body func(context.Context) error) error {
	bodyCtx, stopBody := context.WithCancel(ctx)
	defer stopBody()
	rosterCtx, stopRoster := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRoster()
	done := make(chan error, 2)
	for _, run := range []func(context.Context) error{r.Run, r.bus.Watch} {
		go func() {
			err := run(rosterCtx)
			stopBody()
			done <- err
		}()
	}
	err := body(bodyCtx)
	stopRoster()
	for range cap(done) {
		if e := <-done; e != nil {
			err = e
		}
	}
	return err
}
