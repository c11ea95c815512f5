package stage

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"rhea/proto/subject"
)

// LogConfig is section [log].
type LogConfig struct {
	Level  string `toml:"level" help:"least level that is logged: debug, info, warn or error" live:"true"`
	Format string `toml:"format" help:"text, for people, or json, one object a line"`
}

// Validate refuses levels and formats that do not exist.
func (c *LogConfig) Validate() error {
	switch c.Level {
	case "debug", "info", "warn", "error":
	default:
		return fmt.Errorf("level is %q: want debug, info, warn or error", c.Level)
	}
	if c.Format != "text" && c.Format != "json" {
		return fmt.Errorf("format is %q: want text or json", c.Format)
	}
	return nil
}

// NewLogger returns a logger whose records carry the stage and the instance. As
// text they follow the level, "gateway/1a2b3c4d"; as JSON they are attributes.
// The configuration must be valid.
func (c LogConfig) NewLogger(w io.Writer, stage string, instance subject.Instance) *slog.Logger {
	return c.newLogger(w, c.level(), stage, instance)
}

func (c LogConfig) level() slog.Level {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // Validate has seen it
	return level
}

// newLogger is NewLogger with a level that may move.
func (c LogConfig) newLogger(w io.Writer, level slog.Leveler, stage string, instance subject.Instance) *slog.Logger {
	if c.Format == "json" {
		h := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})
		return slog.New(h).With("stage", stage, "instance", instance.String())
	}
	return slog.New(newTextHandler(w, level, stage+"/"+instance.String()))
}

// textHandler writes "time LEVEL stage/instance message key=value …". The
// attributes are slog's own text handler's work: it writes into line, which all
// handlers derived from one share under the lock.
type textHandler struct {
	shared *textSink
	level  slog.Leveler
	who    string
	attrs  slog.Handler
}

type textSink struct {
	mu   sync.Mutex
	line bytes.Buffer
	w    io.Writer
}

func newTextHandler(w io.Writer, level slog.Leveler, who string) *textHandler {
	sink := &textSink{w: w}
	attrs := slog.NewTextHandler(&sink.line, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
				return slog.Attr{}
			}
			return a
		},
	})
	return &textHandler{shared: sink, level: level, who: who, attrs: attrs}
}

func (h *textHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.level.Level()
}

func (h *textHandler) Handle(ctx context.Context, r slog.Record) error {
	message := r.Message
	if strings.ContainsFunc(message, unicode.IsControl) {
		message = strconv.Quote(message)
	}
	h.shared.mu.Lock()
	defer h.shared.mu.Unlock()
	line := &h.shared.line
	line.Reset()
	fmt.Fprintf(line, "%s %-5s %s %s ", r.Time.UTC().Format("2006-01-02T15:04:05.000Z"), r.Level, h.who, message)
	if err := h.attrs.Handle(ctx, r); err != nil {
		return err
	}
	text := bytes.TrimRight(line.Bytes(), " \n")
	_, err := h.shared.w.Write(append(text, '\n'))
	return err
}

func (h *textHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = h.attrs.WithAttrs(attrs)
	return &c
}

func (h *textHandler) WithGroup(name string) slog.Handler {
	c := *h
	c.attrs = h.attrs.WithGroup(name)
	return &c
}
