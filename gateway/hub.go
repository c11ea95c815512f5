package gateway

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// hub is what all sockets of a gateway share. Its methods are safe for concurrent
// use.
type hub struct {
	limits  atomic.Pointer[socketLimits]
	metrics *metrics
	log     *slog.Logger

	tick    atomic.Int64 // nanoseconds since the core's origin, as of its last tick
	buffers buffers
	windows *windows
	words   chan word
	done    chan struct{} // closed when the core reads no more words

	mu      sync.Mutex
	ended   bool
	running sync.WaitGroup // readers and writers
}

// socketLimits are what readers and writers go by. They may change at any time.
type socketLimits struct {
	maxMessage, maxOutbound int // bytes
	writeTimeout            time.Duration
}

// send tells the core, unless that has ended.
func (h *hub) send(w word) bool {
	select {
	case h.words <- w:
		return true
	case <-h.done:
		return false
	}
}

// start runs f in a goroutine that end waits for, unless end has been called.
func (h *hub) start(f func()) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ended {
		h.running.Go(f)
	}
	return !h.ended
}

// end waits for all goroutines. Connections whose first word nobody has read are
// cut; the others have been.
func (h *hub) end() {
	h.mu.Lock()
	h.ended = true
	h.mu.Unlock()
	close(h.done)
	finished := make(chan struct{})
	go func() {
		h.running.Wait()
		close(finished)
	}()
	for {
		select {
		case w := <-h.words:
			w.conn.abort("the gateway stops")
		case <-finished:
			return
		}
	}
}
