package bench

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"rhea/rhea/bench/histogram"
	"rhea/rhea/bench/proc"
	"rhea/rhea/bench/wire"
)

// opening makes connections of which each has one subscription, as many at a time as
// there are dialers, and times them from the first packet to EOSE.
type opening struct {
	g       *group
	req     func(i int) []byte // of the i-th connection; its subscription must be "s"
	latency histogram.Histogram
	failed  atomic.Pointer[error] // the first connection that could not be made
	closed  reasons
}

// open makes n connections, or as many as can be had.
func (o *opening) open(n, dialers int) (opened int, err error) {
	var next, got atomic.Int64
	var all sync.WaitGroup
	for range dialers {
		all.Go(func() {
			for o.failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := o.one(i); err != nil {
					o.failed.CompareAndSwap(nil, &err)
					return
				}
				got.Add(1)
			}
		})
	}
	all.Wait()
	if err := o.g.ctx.Err(); err != nil {
		return 0, err
	}
	if e := o.failed.Load(); e != nil {
		err = *e
	}
	return int(got.Load()), err
}

// one connects, subscribes and waits for EOSE.
func (o *opening) one(i int) error {
	h := &opener{o: o, eose: make(chan error, 1)}
	begin := time.Now()
	c, err := o.g.dial(h, nil)
	if err != nil {
		return err
	}
	c.Queue(o.req(i))
	c.Flush()
	patience := time.NewTimer(o.g.patience)
	defer patience.Stop()
	select {
	case err := <-h.eose:
		if err == nil {
			o.latency.Record(time.Since(begin))
		}
		return err
	case <-c.Done():
		return cmp.Or(c.Err(), errors.New("the relay closed the connection"))
	case <-patience.C:
		return fmt.Errorf("the relay stalls: no EOSE within %s", o.g.patience)
	}
}

// opener is the handler of one connection.
type opener struct {
	o    *opening
	eose chan error
}

func (h *opener) Message(_ *wire.Conn, msg []byte, _ time.Time) {
	verb, arg, rest, _ := wire.Split(msg)
	var err error
	switch string(verb) {
	case "EOSE":
	case "CLOSED":
		err = fmt.Errorf("the relay refuses a subscription: %s", rest)
	default:
		h.o.g.other(verb, arg)
		return
	}
	select {
	case h.eose <- err:
	default: // one answer is enough
	}
}

func (h *opener) Turn(*wire.Conn) {}

// spareFiles are those that this process needs beside connections.
const spareFiles = 100

// openable is how many connections the limit of open files leaves room for, here and
// in a relay with the same limit, at most n.
func openable(n int) int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return n
	}
	return max(1, min(n, int(min(limit.Cur, 1<<30))-spareFiles))
}

// idle measures what connections that do nothing hold.
func idle(s *Session) ([]Result, error) {
	events, err := s.main()
	if err != nil {
		return nil, err
	}
	authors := newPick(events).authors
	o := &opening{g: newGroup(s.ctx, s.relay.URL, s.Patience), req: func(i int) []byte {
		return fmt.Appendf(nil, `["REQ","s",{"authors":["%s"],"kinds":[1],"limit":0}]`, authors[i%len(authors)])
	}}
	defer o.g.close()
	if err := s.settle(s.Time / 5); err != nil {
		return nil, err
	}
	before, err := s.relay.read(true)
	if err != nil {
		return nil, err
	}
	memory := proc.MemoryOf(before.pids)
	want := openable(s.Connections)
	n, failed := o.open(want, 32)
	if n == 0 {
		return nil, failed
	}
	res, err := s.relay.measure(before, "connection", uint64(n), 0, &o.latency)
	if err != nil {
		return nil, err
	}
	if failed != nil {
		res.Notes = append(res.Notes, fmt.Sprintf("%d of %d connections could be opened: %v", n, want, failed))
	}
	if n < s.Connections && failed == nil {
		res.Notes = append(res.Notes, fmt.Sprintf("%d connections, not %d: the limit of open files (ulimit -n)", n, s.Connections))
	}
	return s.held(res, o.g, memory, n)
}

// held adds what n connections hold: soon, and when a relay that collects garbage has
// had some time for it, since nobody can make it do so from here.
func (s *Session) held(res Result, g *group, before proc.Memories, n int) ([]Result, error) {
	var last proc.Memories
	for _, look := range []struct {
		after time.Duration
		name  string
	}{{s.Time / 10, "soon"}, {s.Time, "later"}} {
		if err := s.settle(look.after); err != nil {
			return nil, err
		}
		if err := g.ended(); err != nil {
			return nil, err
		}
		pids, err := s.relay.Processes()
		if err != nil {
			return nil, err
		}
		now := proc.MemoryOf(pids)
		if len(now) == 0 {
			break
		}
		res.figure("bytes_each_"+look.name, float64(now.Total().PSS-before.Total().PSS)/float64(n))
		last = now
	}
	for _, name := range slices.Sorted(maps.Keys(last)) {
		if len(last) > 1 {
			res.figure(name+"_bytes_each", float64(last[name].PSS-before[name].PSS)/float64(n))
		}
	}
	return []Result{res}, nil
}

// storm opens connections as after a relay's restart, each with a question about what
// is stored.
func storm(s *Session) ([]Result, error) {
	if err := s.fill(); err != nil {
		return nil, err
	}
	events, err := s.main()
	if err != nil {
		return nil, err
	}
	const most = 5000
	n := openable(min(s.Connections, most))
	o := &opening{g: newGroup(s.ctx, s.relay.URL, s.Patience), req: func(i int) []byte {
		e := &events[i*7%len(events)]
		return fmt.Appendf(nil, `["REQ","s",{"authors":["%x"],"kinds":[1,6,7],"limit":20}]`, e.Author[:])
	}}
	defer o.g.close()
	before, err := s.relay.read(true)
	if err != nil {
		return nil, err
	}
	opened, failed := o.open(n, 256)
	if failed != nil {
		return nil, fmt.Errorf("after %d connections: %w", opened, failed)
	}
	res, err := s.relay.measure(before, "connection", uint64(opened), 0, &o.latency)
	return []Result{res}, err
}
