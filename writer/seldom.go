package writer

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// seldom logs what may go wrong with every request, one line a second. The zero
// value is ready. Safe for concurrent use.
type seldom struct {
	last   atomic.Int64 // Unix seconds of the last line; 0: none
	unsaid atomic.Int64 // since then
}

// complain logs an error, with how often it was not logged since the last time.
func (s *seldom) complain(now time.Time, log *slog.Logger, what string, about ...any) {
	last := s.last.Load()
	if now.Unix() == last || !s.last.CompareAndSwap(last, now.Unix()) {
		s.unsaid.Add(1)
		return
	}
	if n := s.unsaid.Swap(0); n > 0 {
		about = append(about, "unsaid", n)
	}
	log.Error(what, about...)
}
