package gateway

import (
	"sync"

	"rhea/proto/bus"
)

// windows bound the bytes of messages that wait for an answer: a share for each
// connection inside one window for the gateway. Readers take before they hand a
// message on and block while there is no room; the core gives back (see claim).
// Because every claim ends, a blocked reader always goes on. Safe for concurrent
// use.
type windows struct {
	mu    sync.Mutex
	whole bus.Window
	queue []*share // blocked by the whole window, first come first served
}

// share is one connection's part of the windows.
type share struct {
	window  bus.Window
	blocked *blocked // its reader, when that waits
	closed  bool
	held    bool // nothing is let through
}

type blocked struct {
	bytes  int
	queued bool
	pass   chan bool
}

// maxShare is what the messages of one connection may take, in bytes.
const maxShare = 1 << 20

func newWindows(limit int) *windows { return &windows{whole: bus.Window{Limit: limit}} }

// take blocks until n bytes fit and says whether the connection is still open.
func (w *windows) take(s *share, n int) bool {
	w.mu.Lock()
	if s.closed {
		w.mu.Unlock()
		return false
	}
	s.window.Limit = maxShare
	b := &blocked{bytes: n}
	if w.admit(s, b) {
		w.mu.Unlock()
		return true
	}
	b.pass = make(chan bool, 1)
	s.blocked = b
	w.mu.Unlock()
	return <-b.pass
}

// blocks says whether a reader waits for room.
func (w *windows) blocks(s *share) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return s.blocked != nil
}

// admit takes b's bytes from both windows, or puts s into the queue when only the
// whole window is full.
func (w *windows) admit(s *share, b *blocked) bool {
	if s.held || !s.window.Take(b.bytes) {
		return false
	}
	if (len(w.queue) > 0 && !b.queued) || !w.whole.Take(b.bytes) {
		s.window.Give(b.bytes)
		if !b.queued {
			b.queued = true
			w.queue = append(w.queue, s)
		}
		return false
	}
	return true
}

// give returns n bytes and lets through who fits now.
func (w *windows) give(s *share, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.window.Give(n)
	w.whole.Give(n)
	if b := s.blocked; b != nil && !b.queued {
		w.retry(s)
	}
	w.pump()
}

// hold keeps a connection from taking more until release.
func (w *windows) hold(s *share) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.held = true
}

// release ends a hold, if there is one.
func (w *windows) release(s *share) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.held = false
	if b := s.blocked; b != nil && !b.queued {
		w.retry(s)
	}
	w.pump()
}

// pump lets the queue through in its order.
func (w *windows) pump() {
	for len(w.queue) > 0 {
		s := w.queue[0]
		if s.blocked != nil && !w.retry(s) {
			return
		}
		w.queue[0] = nil
		w.queue = w.queue[1:]
	}
}

func (w *windows) retry(s *share) bool {
	if !w.admit(s, s.blocked) {
		return false
	}
	s.blocked.pass <- true
	s.blocked = nil
	return true
}

// close lets a blocked reader go; what the connection has taken is given back as
// it is answered.
func (w *windows) close(s *share) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.closed = true
	if s.blocked != nil {
		s.blocked.pass <- false
		s.blocked = nil
	}
	w.pump()
}

// resize changes the whole window.
func (w *windows) resize(limit int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.whole.Limit = limit
	w.pump()
}

// limit is how many bytes may wait for an answer.
func (w *windows) limit() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.whole.Limit
}

// used is how many bytes wait for an answer.
func (w *windows) used() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.whole.Used()
}
