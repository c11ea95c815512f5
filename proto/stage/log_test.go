package stage

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestTextLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // midnight, 2000-01-01 UTC
		var b strings.Builder
		log := LogConfig{Level: "info", Format: "text"}.NewLogger(&b, "gateway", 0x1a2b3c4d)
		log.Debug("not logged")
		log.Info("listening", "addr", "127.0.0.1:7777")
		<-time.After(1500 * time.Millisecond) // the bubble's clock
		log.Warn("bad\nmessage", "text", "two words\n")
		log.With("conn", 7).WithGroup("g").With("a", 1).Error("deep", "time", "own", slog.Group("h", "b", true))
		log.Info("bare")
		want := `2000-01-01T00:00:00.000Z INFO  gateway/1a2b3c4d listening addr=127.0.0.1:7777
2000-01-01T00:00:01.500Z WARN  gateway/1a2b3c4d "bad\nmessage" text="two words\n"
2000-01-01T00:00:01.500Z ERROR gateway/1a2b3c4d deep conn=7 g.a=1 g.time=own g.h.b=true
2000-01-01T00:00:01.500Z INFO  gateway/1a2b3c4d bare
`
		if b.String() != want {
			t.Errorf("got:\n%swant:\n%s", b.String(), want)
		}
	})
}

func TestJSONLog(t *testing.T) {
	var b bytes.Buffer
	log := LogConfig{Level: "debug", Format: "json"}.NewLogger(&b, "writer", 7)
	log.Debug("hello", "n", 1)
	var got map[string]any
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{"stage": "writer", "instance": "00000007", "msg": "hello", "level": "DEBUG", "n": 1.0} {
		if got[key] != want {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
}

// TestLogLinesStayWhole writes from many goroutines, through loggers that share
// attributes and through two stages of one process.
func TestLogLinesStayWhole(t *testing.T) {
	defer goleak.VerifyNone(t)
	var b bytes.Buffer
	one := newProcess(&b, LogConfig{Level: "info", Format: "text"}, "gateway", 1)
	two := one.For("writer")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			log := []*slog.Logger{one.Log, two.Log, one.Log.With("x", i)}[i%3]
			for range 200 {
				log.Info("message", "key", "value")
			}
		})
	}
	wg.Wait()
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != 8*200 {
		t.Errorf("%d lines", len(lines))
	}
	if one.Instance == two.Instance {
		t.Error("two stages of one process share an instance")
	}
	for _, line := range lines {
		first, second := "gateway/"+one.Instance.String()+" message ", "writer/"+two.Instance.String()+" message "
		if !strings.Contains(line, first) && !strings.Contains(line, second) || !strings.HasSuffix(line, "key=value") {
			t.Fatalf("torn: %q", line)
		}
	}
}

func TestLogConfigValidate(t *testing.T) {
	for c, want := range map[LogConfig]string{
		{"debug", "json"}:  "",
		{"error", "text"}:  "",
		{"loud", "text"}:   `level is "loud": want debug, info, warn or error`,
		{"info", "xml"}:    `format is "xml": want text or json`,
		{"INFO+2", "text"}: `level is "INFO+2": want debug, info, warn or error`,
	} {
		got := ""
		if err := c.Validate(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%v: got %q, want %q", c, got, want)
		}
	}
}
