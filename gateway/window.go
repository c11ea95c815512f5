package gateway

import "rhea/proto/bus"

// windows bound the bytes of messages that wait for an answer: a share for each
// connection inside one window for the gateway. A message that finds no room waits,
// and its connection is read no further; answers give back (see claim). Because every
// claim ends, it always goes on.
type windows struct {
	whole  bus.Window
	queue  []*conn // that wait for the whole window, first come first served
	passed []*conn // let through, and not told yet
}

// share is one connection's part of the windows.
type share struct {
	used   int32
	wants  int32 // bytes that a message waits for; 0: none does
	passed int32 // bytes that it has been let through with
	queued bool
	closed bool
	held   bool // nothing is let through
}

// waits says whether a message waits: for room or, let through, for Resume. What is
// behind it is neither read nor handled until then.
func (s *share) waits() bool { return s.wants > 0 || s.passed > 0 }

// maxShare is what the messages of one connection may take, in bytes.
const maxShare = 1 << 20

func newWindows(limit int) *windows { return &windows{whole: bus.Window{Limit: limit}} }

// take says whether n bytes fit. If not, the connection waits, unless it is closed,
// and stands in passed when they do.
func (w *windows) take(cn *conn, n int) bool {
	switch s := &cn.share; {
	case s.closed:
		return false
	case w.admit(cn, n):
		return true
	default:
		s.wants = int32(n)
		return false
	}
}

// admit takes n bytes from both windows, or puts the connection into the queue when
// only the whole window is full.
func (w *windows) admit(cn *conn, n int) bool {
	s := &cn.share
	if s.held || s.used > 0 && int(s.used)+n > maxShare {
		return false
	}
	if len(w.queue) > 0 && !s.queued || !w.whole.Take(n) {
		if !s.queued {
			s.queued = true
			w.queue = append(w.queue, cn)
		}
		return false
	}
	s.used += int32(n)
	return true
}

// give returns n bytes and lets through who fits now.
func (w *windows) give(cn *conn, n int) {
	cn.share.used -= int32(n)
	w.whole.Give(n)
	w.retryAlone(cn)
}

// hold keeps a connection from taking more until release.
func (w *windows) hold(cn *conn) { cn.share.held = true }

// release ends a hold, if there is one.
func (w *windows) release(cn *conn) {
	cn.share.held = false
	w.retryAlone(cn)
}

func (w *windows) retryAlone(cn *conn) {
	if cn.share.wants > 0 && !cn.share.queued {
		w.retry(cn)
	}
	w.pump()
}

// pump lets the queue through in its order.
func (w *windows) pump() {
	for len(w.queue) > 0 {
		cn := w.queue[0]
		if cn.share.wants > 0 && !w.retry(cn) {
			return
		}
		cn.share.queued = false
		w.queue[0] = nil
		w.queue = w.queue[1:]
	}
}

func (w *windows) retry(cn *conn) bool {
	s := &cn.share
	if !w.admit(cn, int(s.wants)) {
		return false
	}
	s.passed, s.wants = s.wants, 0
	w.passed = append(w.passed, cn)
	return true
}

// close lets a connection wait no more; what it has taken is given back as it is
// answered.
func (w *windows) close(cn *conn) {
	cn.share.closed, cn.share.wants = true, 0
	w.pump()
}

// resize changes the whole window.
func (w *windows) resize(limit int) {
	w.whole.Limit = limit
	w.pump()
}
