package gateway

import (
	"errors"
	"net"
	"os"
	"time"
)

const (
	// writeChunk is how much is written under one deadline.
	writeChunk = 256 << 10
	// lingerTime is how long a client may take to read the last word and to close
	// its end.
	lingerTime = 2 * time.Second
)

// flush starts a writer if something waits and none is at work.
func (s *socket) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writing || s.state == dead || s.nc == nil || len(s.buf)+len(s.pong) == 0 {
		return
	}
	s.writing = s.hub.start(s.write)
}

// write is the writer: it lives for as long as there is something to write.
func (s *socket) write() {
	for {
		s.mu.Lock()
		if s.state == dead || len(s.buf)+len(s.pong) == 0 {
			s.writing = false
			last := s.state == closing
			s.mu.Unlock()
			if last {
				s.linger()
			}
			return
		}
		buf := s.buf
		if len(s.pong) > 0 {
			buf = append(buf, s.pong...) // buf may be nil
			s.pong = nil
		}
		s.buf, s.flight = nil, len(buf)
		s.mu.Unlock()

		err := s.put(buf)
		s.hub.metrics.bytesOut.Add(len(buf))
		s.hub.buffers.give(buf)

		s.mu.Lock()
		s.flight = 0
		drained := s.notify && len(s.buf) < queryBudget/2
		if drained {
			s.notify = false
		}
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				s.hub.metrics.slow.Inc()
			}
			s.kill(err.Error())
		}
		s.mu.Unlock()
		if drained {
			s.hub.send(word{kind: saidDrained, conn: s.conn})
		}
	}
}

// put writes b. A deadline that passes is an error only when the client has
// taken nothing meanwhile.
func (s *socket) put(b []byte) error {
	for len(b) > 0 {
		if err := s.nc.SetWriteDeadline(time.Now().Add(s.hub.limits.Load().writeTimeout)); err != nil {
			return err
		}
		n, err := s.nc.Write(b[:min(len(b), writeChunk)])
		b = b[n:]
		if err != nil && (n == 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return err
		}
	}
	return nil
}

// linger ends the connection after the last word, in a way that lets the client
// read it: closing while bytes of the client wait unread would reset the
// connection and destroy what is under way to it. The reader does the rest.
func (s *socket) linger() {
	if tcp, ok := s.nc.(*net.TCPConn); ok {
		_ = tcp.CloseWrite() // the reader sees a connection that is gone
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.nc.SetReadDeadline(time.Now().Add(lingerTime))
	s.unhush()
}
