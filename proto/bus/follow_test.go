package bus

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// logServer stands for the writer: it keeps a log in memory, publishes what is
// appended (losing some of it), announces its head and serves ranges.
type logServer struct {
	bus   *Bus
	mu    sync.Mutex
	store uint64
	log   []*relaypb.Entry // nil for an entry that has left the store
}

func (s *logServer) rangeFrom(from uint64, most int) *relaypb.LogInbox {
	s.mu.Lock()
	defer s.mu.Unlock()
	head := uint64(len(s.log))
	e := &relaypb.Entries{Store: s.store, Head: head, From: min(from, head+1)}
	e.Next = e.From
	for e.Next <= head && most > 0 {
		if entry := s.log[e.Next-1]; entry != nil {
			e.Entries = append(e.Entries, proto.Clone(entry).(*relaypb.Entry))
		}
		e.Next++
		most--
	}
	return &relaypb.LogInbox{Body: &relaypb.LogInbox_Entries{Entries: e}}
}

func (s *logServer) append(n int) *relaypb.LogInbox {
	s.mu.Lock()
	from := uint64(len(s.log)) + 1
	for range n {
		s.log = append(s.log, &relaypb.Entry{Seq: uint64(len(s.log)) + 1})
	}
	s.mu.Unlock()
	return s.rangeFrom(from, n)
}

func (s *logServer) serve(ctx context.Context, in *Inbox[*relaypb.LogFetch]) {
	for {
		select {
		case <-ctx.Done():
			return
		case msg := <-in.C():
			in.Each(msg, func(f *relaypb.LogFetch) { s.bus.Reply(msg, s.rangeFrom(f.From, 7)) })
		}
	}
}

// Whatever is lost, and however slowly the reader reads, it gets every entry
// once, in order.
func TestFollowerHasNoHoles(t *testing.T) {
	for round := range 20 {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) {
			t.Logf("round %d seed %d", round, seed)
			r := rand.New(rand.NewPCG(seed, 0))
			m := NewMemory()
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wb := m.Join(space(t), quiet)
			srv := &logServer{bus: wb, store: 5}
			report := func(m *relaypb.Member) {
				srv.mu.Lock()
				m.Seq, m.Store = uint64(len(srv.log)), srv.store
				srv.mu.Unlock()
			}
			fetches := Listen(wb, func() *relaypb.LogFetch { return new(relaypb.LogFetch) }, 0)
			fetches.Add(wb.Space.LogFetch())
			wr := NewRoster(wb, subject.Writer, "", report)
			fb := m.Join(space(t), quiet)
			fr := NewRoster(fb, subject.Monitor, "", nil)
			after := Head
			before := r.IntN(50)
			srv.append(before)
			if r.IntN(2) == 0 {
				after = subject.Seq(r.IntN(before + 1))
			}
			f := NewFollower(fb, fr, after, 2)
			for _, run := range []func(context.Context) error{wr.Run, fr.Run, f.Run} {
				wg.Go(func() {
					if err := run(ctx); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Go(func() { srv.serve(ctx, fetches) })

			var next uint64
			read := func(e *relaypb.Entries) {
				if next == 0 {
					next = e.From
					if after != Head && e.From != uint64(after)+1 {
						t.Fatalf("asked for what is after %d, began at %d", after, e.From)
					}
				}
				if e.From != next || e.Store != 5 {
					t.Fatalf("expected %d, got %d to %d", next, e.From, e.Next)
				}
				i := e.From
				for _, x := range e.Entries {
					if x.Seq != i {
						t.Fatalf("entry %d where %d belongs", x.Seq, i)
					}
					i++
				}
				if i != e.Next {
					t.Fatalf("entries end at %d, range at %d", i, e.Next)
				}
				next = e.Next
			}
			time.Sleep(time.Second)
			for range 200 {
				batch := srv.append(1 + r.IntN(20))
				if r.IntN(3) > 0 {
					wb.Publish(wb.Space.Log(), batch)
				}
				for range r.IntN(3) {
					select {
					case e := <-f.C():
						read(e)
					default:
					}
				}
				if r.IntN(10) == 0 {
					time.Sleep(time.Duration(r.IntN(400)) * time.Millisecond)
				}
			}
			for want := uint64(len(srv.log)) + 1; next < want; {
				select {
				case e := <-f.C():
					read(e)
				case <-time.After(time.Minute):
					t.Fatalf("stuck at %d of %d", next, want)
				}
			}
			cancel()
			wg.Wait()
		})
	}
}

// Another store under the same bus begins another history, at its end.
func TestFollowerSeesAnotherStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wb := m.Join(space(t), quiet)
		srv := &logServer{bus: wb, store: 5}
		srv.append(100)
		fetches := Listen(wb, func() *relaypb.LogFetch { return new(relaypb.LogFetch) }, 0)
		fetches.Add(wb.Space.LogFetch())
		wr := NewRoster(wb, subject.Writer, "", func(m *relaypb.Member) {
			srv.mu.Lock()
			defer srv.mu.Unlock()
			m.Seq, m.Store = uint64(len(srv.log)), srv.store
		})
		fb := m.Join(space(t), quiet)
		fr := NewRoster(fb, subject.Monitor, "", nil)
		f := NewFollower(fb, fr, Head, 2)
		for _, run := range []func(context.Context) error{wr.Run, fr.Run, f.Run} {
			wg.Go(func() { run(ctx) })
		}
		wg.Go(func() { srv.serve(ctx, fetches) })
		if e := <-f.C(); e.Store != 5 || e.From != 101 || e.Next != 101 {
			t.Fatalf("start: %v", e)
		}
		srv.mu.Lock()
		srv.store, srv.log = 6, nil
		srv.mu.Unlock()
		srv.append(10)
		if e := <-f.C(); e.Store != 6 || e.From != 11 || e.Next != 11 {
			t.Fatalf("another store: %v", e)
		}
		wb.Publish(wb.Space.Log(), srv.append(1))
		if e := <-f.C(); e.From != 11 || len(e.Entries) != 1 {
			t.Fatalf("going on: %v", e)
		}
		cancel()
		wg.Wait()
	})
}

// The same store with less in it, under another writer, has been restored from an
// older copy: that begins another history too.
func TestFollowerSeesARestoredStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		var wg sync.WaitGroup
		defer wg.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		srv := &logServer{store: 5}
		srv.append(100)
		writer := func() (stop func()) {
			ctx, cancel := context.WithCancel(ctx)
			b := m.Join(space(t), quiet)
			srv.mu.Lock()
			srv.bus = b
			srv.mu.Unlock()
			fetches := Listen(b, func() *relaypb.LogFetch { return new(relaypb.LogFetch) }, 0)
			fetches.Add(b.Space.LogFetch())
			r := NewRoster(b, subject.Writer, "", func(m *relaypb.Member) {
				srv.mu.Lock()
				defer srv.mu.Unlock()
				m.Seq, m.Store = uint64(len(srv.log)), srv.store
			})
			wg.Go(func() { r.Run(ctx) })
			wg.Go(func() { srv.serve(ctx, fetches); fetches.Close() })
			return cancel
		}
		stop := writer()
		fb := m.Join(space(t), quiet)
		fr := NewRoster(fb, subject.Monitor, "", nil)
		f := NewFollower(fb, fr, Head, 2)
		wg.Go(func() { fr.Run(ctx) })
		wg.Go(func() { f.Run(ctx) })
		if e := <-f.C(); e.From != 101 {
			t.Fatalf("start: %v", e)
		}
		time.Sleep(time.Second)
		stop()
		synctest.Wait()
		srv.mu.Lock()
		srv.log = srv.log[:40]
		srv.mu.Unlock()
		writer()
		if e := <-f.C(); e.Store != 5 || e.From != 41 || e.Next != 41 {
			t.Fatalf("restored: %v", e)
		}
		srv.bus.Publish(srv.bus.Space.Log(), srv.append(1))
		if e := <-f.C(); e.From != 41 || len(e.Entries) != 1 {
			t.Fatalf("going on: %v", e)
		}
	})
}
