package gateway

import (
	"bytes"
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// serverLog takes what the HTTP server says. Most of it is about single clients and
// nobody's concern; that it cannot accept connections is, once a second at the most.
type serverLog struct {
	log    *slog.Logger
	warned atomic.Int64 // Unix seconds of the last warning
}

func (l *serverLog) Write(line []byte) (int, error) {
	level := slog.LevelDebug
	if bytes.Contains(line, []byte("Accept error")) {
		now := time.Now().Unix()
		if last := l.warned.Load(); now != last && l.warned.CompareAndSwap(last, now) {
			level = slog.LevelWarn
		}
	}
	l.log.Log(context.Background(), level, string(bytes.TrimSpace(line)))
	return len(line), nil
}
