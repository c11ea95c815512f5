package writer

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// A request that fails, and fails again, is a line a second that counts the rest.
func TestSeldom(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(slog.NewTextHandler(&b, nil))
	var s seldom
	at := time.Unix(100, 0)
	for range 50 { // five seconds
		s.complain(at, log, "broken", "why", "test")
		at = at.Add(100 * time.Millisecond)
	}
	if lines := strings.Count(b.String(), "\n"); lines != 5 || strings.Count(b.String(), "unsaid=9") != 4 {
		t.Errorf("%d lines:\n%s", lines, b.String())
	}
}
