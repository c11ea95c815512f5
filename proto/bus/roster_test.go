package bus

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// process is one ingester as far as the bus sees it.
type process struct {
	bus    *Bus
	roster *Roster
	inbox  *Inbox[*relaypb.IngestInbox]
	stop   context.CancelFunc
	crash  *cut
	done   chan error
	held   atomic.Int32
}

// cut is a connection that can be severed, as by kill -9.
type cut struct {
	Conn
	off atomic.Bool
}

func (c *cut) Publish(s, r string, d []byte) error {
	if c.off.Load() {
		return errors.New("severed")
	}
	return c.Conn.Publish(s, r, d)
}

func start(t *testing.T, m *Memory, shards int, stage subject.Stage) *process {
	return startAt(t, m, shards, stage, time.Now())
}

// startAt starts a process that says it started then.
func startAt(t *testing.T, m *Memory, shards int, stage subject.Stage, then time.Time) *process {
	sp, err := subject.New("test", shards)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{crash: &cut{Conn: m.conn("")}, done: make(chan error, 1)}
	p.bus = New(sp, NewInstance(), quiet, p.crash, p.crash, p.crash)
	p.roster = NewRoster(p.bus, stage, "test", nil)
	p.roster.self.Started = then.UnixMilli()
	p.inbox = Listen(p.bus, func() *relaypb.IngestInbox { return new(relaypb.IngestInbox) }, 0)
	own := NewOwnership(p.bus, p.roster, stage, p.inbox, sp.Ingest)
	ctx, cancel := context.WithCancel(t.Context())
	p.stop = cancel
	go func() {
		p.done <- p.roster.While(ctx, func(ctx context.Context) error {
			changes := p.roster.Changes()
			select {
			case <-p.roster.Settled():
			case <-ctx.Done():
				return nil
			}
			for {
				select {
				case <-ctx.Done():
					p.inbox.Close()
					return nil
				case <-changes:
					if _, _, err := own.Reconcile(); err != nil {
						return err
					}
					p.held.Store(int32(len(own.Held())))
				}
			}
		})
	}()
	return p
}

// The shards spread over the living without configuration, are never without a
// listener while processes come and go in good order, and are taken over within
// three seconds of a crash.
func TestShardOwnership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		sp := space(t)
		unheard := func() (n int) {
			for sh := range subject.Shard(16) {
				m.mu.RLock()
				if len(m.exact[sp.Ingest(sh)]) == 0 {
					n++
				}
				m.mu.RUnlock()
			}
			return n
		}
		wait := func(d time.Duration, what string) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				synctest.Wait()
				if n := unheard(); n > 0 {
					t.Fatalf("%s: %d shards have no listener", what, n)
				}
			}
		}
		a := start(t, m, 16, subject.Ingester)
		time.Sleep(time.Second)
		b := start(t, m, 16, subject.Ingester)
		wait(2*time.Second, "second joins")
		if a.held.Load() != 8 || b.held.Load() != 8 {
			t.Fatalf("two hold %d and %d of 16", a.held.Load(), b.held.Load())
		}
		c := start(t, m, 16, subject.Ingester)
		wait(2*time.Second, "third joins")
		if sum := a.held.Load() + b.held.Load() + c.held.Load(); sum != 16 || a.held.Load() > 6 || b.held.Load() > 6 || c.held.Load() > 6 {
			t.Fatalf("three hold %d, %d, %d", a.held.Load(), b.held.Load(), c.held.Load())
		}
		b.roster.Leave()
		wait(2*time.Second, "second leaves")
		if b.held.Load() != 0 || a.held.Load()+c.held.Load() != 16 {
			t.Fatalf("after leaving: %d, %d, %d", a.held.Load(), b.held.Load(), c.held.Load())
		}
		b.stop()
		if err := <-b.done; err != nil {
			t.Fatal(err)
		}
		c.crash.off.Store(true) // silent, still subscribed
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if a.held.Load() != 16 {
			t.Fatalf("three seconds after a crash the survivor holds %d of 16", a.held.Load())
		}
		for sh := range subject.Shard(16) {
			if got := a.roster.View().Owner(subject.Ingester, sh); got != a.bus.Instance {
				t.Fatalf("shard %d is %s's in the view", sh, got)
			}
		}
		a.stop()
		c.stop()
		<-a.done
		<-c.done
	})
}

// A process whose number of shards differs from the deployment's goes, and the
// others stay, also when its clock says that it was there first.
func TestShardCountConflict(t *testing.T) {
	for _, behind := range []time.Duration{0, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			m := NewMemory()
			a := start(t, m, 16, subject.Ingester)
			time.Sleep(time.Second)
			b := startAt(t, m, 32, subject.Monitor, time.Now().Add(-behind))
			if err := <-b.done; err == nil {
				t.Fatal("accepted")
			} else {
				t.Log(err)
			}
			time.Sleep(time.Second)
			if a.held.Load() != 16 {
				t.Fatalf("the older holds %d", a.held.Load())
			}
			a.stop()
			if err := <-a.done; err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Whoever looks on sees a process that has gone go at once.
func TestGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		look := NewRoster(m.Join(space(t), quiet), "", "", nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- look.Run(ctx) }()
		a := start(t, m, 16, subject.Writer)
		time.Sleep(time.Second)
		if !look.View().Alive(a.bus.Instance) || len(look.View().Members(subject.Writer)) != 1 {
			t.Fatal("not seen")
		}
		a.stop()
		<-a.done
		synctest.Wait()
		if look.View().Alive(a.bus.Instance) {
			t.Fatal("still seen")
		}
		cancel()
		<-done
	})
}

func TestAssignSpreads(t *testing.T) {
	for n := 1; n <= 20; n++ {
		var list []*relaypb.Member
		for i := range n {
			list = append(list, &relaypb.Member{Stage: "ingester", Instance: uint32(i*7919 + 1)})
		}
		count := map[subject.Instance]int{}
		for _, i := range assign(16, list) {
			count[i]++
		}
		for i, c := range count {
			if i == 0 || c > (16+n-1)/n {
				t.Fatalf("%d processes: %s has %d of 16 shards", n, i, c)
			}
		}
	}
}
