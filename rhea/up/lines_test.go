package up

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func newLines(to *bytes.Buffer) *lines {
	plain := slog.NewTextHandler(to, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	return &lines{stage: "gateway", name: "gateway-2", to: to, log: slog.New(plain)}
}

// Lines of the child's logger pass, all others are logged with its name, however
// the output is cut into pieces.
func TestLines(t *testing.T) {
	logged := "2026-01-02T03:04:05.678Z INFO  gateway/1a2b3c4d started version=1\n"
	asJSON := `{"time":"2026-01-02T03:04:05.678Z","level":"INFO","msg":"x"}` + "\n"
	input := logged + "panic: no\n\n\tmain.go:1\r\n" + asJSON + strings.Repeat("x", maxLine+5) + "\n" + logged + "unfinished"
	want := logged +
		"level=ERROR msg=\"panic: no\" from=gateway-2\n" +
		"level=ERROR msg=\"    main.go:1\" from=gateway-2\n" +
		asJSON +
		"level=ERROR msg=\"" + strings.Repeat("x", maxLine) + " …\" from=gateway-2\n" +
		logged + "level=ERROR msg=unfinished from=gateway-2\n"
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for round := range 50 {
		var got bytes.Buffer
		l := newLines(&got)
		for rest := []byte(input); len(rest) > 0; {
			n := min(len(rest), 1+r.IntN(1+r.IntN(len(input))))
			if round == 0 {
				n = len(rest)
			}
			if m, err := l.Write(rest[:n]); m != n || err != nil {
				t.Fatal(m, err)
			}
			rest = rest[n:]
		}
		if said := l.end(); said != "panic: no" {
			t.Fatalf("it said %q", said)
		}
		if got.String() != want {
			t.Fatalf("got\n%s\nwant\n%s", got.String(), want)
		}
		if l.end() != "" {
			t.Fatal("it says it twice")
		}
	}
}

func TestBackoff(t *testing.T) {
	var b backoff
	want := firstPause
	for range 20 {
		if got := b.after(time.Second); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
		want = min(2*want, maxPause)
	}
	if got := b.after(longLife); got != firstPause {
		t.Fatalf("after a long life: %s", got)
	}
	if got := b.after(0); got != 2*firstPause {
		t.Fatalf("after that: %s", got)
	}
}
