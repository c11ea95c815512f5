package importer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/klauspost/compress/zstd"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
	"rhea/rhea/importer"
)

// startWriter announces a store until stop.
func startWriter(t *testing.T, m *bus.Memory, store, seq uint64) (stop func()) {
	roster := bus.NewRoster(m.Join(space(t), slog.New(slog.DiscardHandler)), subject.Writer, "", func(m *relaypb.Member) {
		m.Store, m.Seq = store, seq
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- roster.While(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil })
	}()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// manyLines writes a file of n lines of some 1,000 bytes, the last without its end.
func manyLines(t *testing.T, n int, packed bool) (file string, lines []string) {
	t.Helper()
	for i := range n {
		lines = append(lines, fmt.Sprintf("%d %s", i, strings.Repeat("x", 1000)))
	}
	text := []byte(strings.Join(lines, "\n\n"))
	if packed {
		e, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		text = e.EncodeAll(text, nil)
	}
	file = filepath.Join(t.TempDir(), "events")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file, lines
}

// An import that is cut anywhere goes on behind lines that have all been answered,
// however the answers came, and in the end every line has been.
func TestResume(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	skipped := 0
	for trial := range 8 {
		synctest.Test(t, func(t *testing.T) {
			const n = 3000
			file, lines := manyLines(t, n, trial%2 == 0)
			m := bus.NewMemory()
			stopWriter := startWriter(t, m, 7, 100)
			answered := make(map[string]bool)
			left := n/2 + random.IntN(n/2) // answers until the relay is gone
			in := startIngester(t, m, func(e *relaypb.EventFrame) relaypb.Outcome {
				if left == 0 || random.IntN(500) == 0 {
					return relaypb.Outcome_OUTCOME_UNSPECIFIED
				}
				left--
				answered[string(e.Event)] = true
				return relaypb.Outcome_NEW
			})
			r, err := imports(t, m, importer.Options{Files: []string{file}, MaxLine: 2000, Resume: true})
			in.stop()
			if !errors.Is(err, importer.ErrLost) || r.Before != 0 {
				t.Fatalf("%+v, %v", r, err)
			}
			before := len(answered)
			again := 0
			in = startIngester(t, m, func(e *relaypb.EventFrame) relaypb.Outcome {
				if answered[string(e.Event)] {
					again++
				}
				answered[string(e.Event)] = true
				return relaypb.Outcome_NEW
			})
			r, err = imports(t, m, importer.Options{Files: []string{file}, MaxLine: 2000, Resume: true})
			in.stop()
			stopWriter()
			if err != nil || !r.Complete() {
				t.Fatalf("%+v, %v", r, err)
			}
			for i, line := range lines {
				if !answered[line] {
					t.Fatalf("line %d was skipped; went on behind %d, %d were answered", 2*i+1, r.Before, before)
				}
			}
			if len(answered) != n || again != before-(r.Before+1)/2 {
				t.Fatalf("%d lines were answered; went on behind %d, and %d of %d were sent again", len(answered), r.Before, again, before)
			}
			skipped += r.Before
			if _, err := os.Stat(file + importer.StateSuffix); !os.IsNotExist(err) {
				t.Fatal("an import that is done leaves its state: ", err)
			}
		})
	}
	if skipped == 0 {
		t.Fatal("no import went on: each began anew")
	}
}

// What failed in the relay is sent again, with all behind it.
func TestResumeFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file, lines := manyLines(t, 2000, false)
		m := bus.NewMemory()
		defer startWriter(t, m, 7, 100)()
		in := startIngester(t, m, func(e *relaypb.EventFrame) relaypb.Outcome {
			if string(e.Event) == lines[1000] {
				return relaypb.Outcome_ERROR
			}
			return relaypb.Outcome_NEW
		})
		o := importer.Options{Files: []string{file}, MaxLine: 2000, Resume: true}
		if r, err := imports(t, m, o); err != nil || r.Failed != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		in.stop()
		in = startIngester(t, m, func(*relaypb.EventFrame) relaypb.Outcome { return relaypb.Outcome_NEW })
		r, err := imports(t, m, o)
		in.stop()
		if err != nil || r.Before == 0 || r.Before > 2*1000 || r.Accepted < 1000 {
			t.Fatalf("%+v, %v", r, err)
		}
		first := in.heard[0].Event
		if string(first) != lines[(r.Before+1)/2] {
			t.Fatalf("behind %d lines comes %.8s", r.Before, first)
		}
	})
}

// An import goes on only where its own events are.
func TestResumeRefuses(t *testing.T) {
	file, _ := manyLines(t, 2000, false)
	cut := importer.Options{Files: []string{file}, MaxLine: 2000, Resume: true}
	state := file + importer.StateSuffix
	// on runs an import of file against a store, and wants to hear why not.
	on := func(store, seq uint64, o importer.Options, want string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			m := bus.NewMemory()
			defer startWriter(t, m, store, seq)()
			n := 0
			in := startIngester(t, m, func(*relaypb.EventFrame) relaypb.Outcome {
				if n++; n > 1000 {
					return relaypb.Outcome_OUTCOME_UNSPECIFIED
				}
				return relaypb.Outcome_NEW
			})
			_, err := imports(t, m, o)
			in.stop()
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v; want %s", err, want)
			}
		})
	}
	on(7, 100, cut, importer.ErrLost.Error())
	whole, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	on(8, 100, cut, "another store")
	on(7, 99, cut, "before it was restored")
	on(7, 100, importer.Options{MaxLine: 9, Resume: true, Stdin: strings.NewReader("")}, "standard input")
	on(7, 100, importer.Options{Files: []string{file, file}, Resume: true}, "named twice")
	on(7, 100, importer.Options{Files: []string{os.DevNull}, Resume: true}, "not a regular file")
	proc := importer.Options{Files: []string{"/proc/self/comm"}, Resume: true} // nobody can write beside it, not even root
	if _, err := os.Stat(proc.Files[0]); err == nil {
		on(7, 100, proc, "cannot be kept")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range [][]byte{bytes.Replace(text, []byte("x"), []byte("y"), 1), text[:1000]} {
		if err := os.WriteFile(file, other, 0o600); err != nil {
			t.Fatal(err)
		}
		on(7, 100, cut, "is not the file whose import was cut")
	}
	if now, err := os.ReadFile(state); err != nil || !bytes.Equal(now, whole) {
		t.Fatalf("%s, %v", now, err)
	}
	if err := os.WriteFile(state, whole[:20], 0o600); err != nil {
		t.Fatal(err)
	}
	on(7, 100, cut, "is not what an import has written")
}
