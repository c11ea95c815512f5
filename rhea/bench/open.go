package bench

import (
	"cmp"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"rhea/rhea/bench/histogram"
	"rhea/rhea/bench/wire"
)

// opening makes connections of which each has one subscription, as many at a time as
// there are dialers, and times them from the first packet to EOSE.
type opening struct {
	g       *group
	req     func(i int) []byte // of the i-th connection; its subscription must be "s"
	latency histogram.Histogram
	failed  atomic.Pointer[error] // the first connection that could not be made
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
