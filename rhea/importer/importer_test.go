package importer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
	"rhea/rhea/importer"
)

func space(t *testing.T) subject.Space {
	t.Helper()
	s, err := subject.New("test", 4)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ingester speaks the contract for a whole relay: it answers what answer says,
// or not at all for an OUTCOME_UNSPECIFIED.
type ingester struct {
	answer func(*relaypb.EventFrame) relaypb.Outcome
	heard  []*relaypb.EventFrame // after stop
	stop   func()
}

func startIngester(t *testing.T, m *bus.Memory, answer func(*relaypb.EventFrame) relaypb.Outcome) *ingester {
	b := m.Join(space(t), slog.New(slog.DiscardHandler))
	in := &ingester{answer: answer}
	inbox := bus.Listen(b, func() *relaypb.IngestInbox { return new(relaypb.IngestInbox) }, 0)
	roster := bus.NewRoster(b, subject.Ingester, "", nil)
	var owned []subject.Shard
	for sh := range subject.Shard(4) {
		owned = append(owned, sh)
		if err := inbox.Add(b.Space.Ingest(sh)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	out := b.NewOutbox()
	go func() {
		done <- roster.While(ctx, func(ctx context.Context) error {
			roster.SetOwned(owned)
			for {
				select {
				case <-ctx.Done():
					return nil
				case msg := <-inbox.C():
					inbox.Each(msg, func(m *relaypb.IngestInbox) {
						e := m.GetEvent()
						in.heard = append(in.heard, e)
						if o := in.answer(e); o != relaypb.Outcome_OUTCOME_UNSPECIFIED {
							v := &relaypb.Verdict{Num: e.Num, Outcome: o, Text: "why"}
							out.Send(b.Space.Out(subject.ConnID(e.Conn).Gateway()), &relaypb.OutInbox{Body: &relaypb.OutInbox_Verdict{Verdict: v}})
						}
					})
					out.Flush()
				}
			}
		})
	}()
	in.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		inbox.Close()
	}
	return in
}

func imports(t *testing.T, m *bus.Memory, o importer.Options) (importer.Result, error) {
	b := m.Join(space(t), slog.New(slog.DiscardHandler))
	return importer.Run(t.Context(), b, o)
}

// Every line meets its fate, is counted, and the first that are refused are
// named by their place.
func TestFates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := bus.NewMemory()
		in := startIngester(t, m, func(e *relaypb.EventFrame) relaypb.Outcome {
			switch string(e.Event) {
			case `{"dup":1}`:
				return relaypb.Outcome_DUPLICATE
			case `{"eph":1}`:
				return relaypb.Outcome_EPHEMERAL
			case `{"old":1}`:
				return relaypb.Outcome_REPLACED
			case `nonsense`:
				return relaypb.Outcome_INVALID
			case `{"err":1}`:
				return relaypb.Outcome_ERROR
			}
			return relaypb.Outcome_NEW
		})
		input := "{\"a\":1}\n\n  {\"a\":2}\r\n{\"dup\":1}\n{\"eph\":1}\nnonsense\n{\"old\":1}\n" +
			strings.Repeat("x", 101) + "\n" + strings.Repeat("y", 100) + "\n{\"err\":1}\n{\"last\":1}"
		var notes []string
		got, err := imports(t, m, importer.Options{
			Stdin: strings.NewReader(input), MaxLine: 100, Trusted: true,
			Note: func(place, reason string) { notes = append(notes, place+" "+reason) },
		})
		in.stop()
		if err != nil {
			t.Fatal(err)
		}
		got.Took = 0
		want := importer.Result{Accepted: 4, Ephemeral: 1, Duplicate: 1, Replaced: 1, TooLong: 1, Failed: 1, Rejected: map[string]int{"why": 1}}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		if got.Complete() {
			t.Fatal("a failure passes for an answer")
		}
		places := strings.Join(notes, "|")
		for _, want := range []string{"line 6 why", "line 8 longer than 100 bytes", "line 10 why"} {
			if !strings.Contains(places, want) {
				t.Errorf("%q lacks %q", places, want)
			}
		}
		shards := make(map[subject.Shard]bool)
		for _, e := range in.heard {
			if !e.Trusted || !e.Imported {
				t.Fatal("not trusted, or not an import")
			}
			shards[space(t).ShardOf(subject.ConnID(e.Conn))] = true
		}
		if len(shards) != 4 {
			t.Fatalf("spread over %d of 4 shards", len(shards))
		}
	})
}

// No more than the window is in flight, and everything arrives through it.
func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, n = 64 << 10, 1000
		m := bus.NewMemory()
		var held atomic.Int64
		var answers atomic.Bool
		in := startIngester(t, m, func(*relaypb.EventFrame) relaypb.Outcome {
			if answers.Load() {
				return relaypb.Outcome_NEW
			}
			held.Add(size)
			return relaypb.Outcome_OUTCOME_UNSPECIFIED
		})
		done := make(chan importer.Result, 1)
		line := strings.Repeat("x", size) + "\n"
		go func() {
			r, err := imports(t, m, importer.Options{Stdin: strings.NewReader(strings.Repeat(line, n)), MaxLine: size})
			if err != nil {
				t.Error(err)
			}
			done <- r
		}()
		time.Sleep(time.Second) // synctest's clock: before anything is sent again
		synctest.Wait()
		if got := held.Load(); got > 4<<20 || got < 3<<20 {
			t.Fatalf("%d bytes are in flight", got)
		}
		answers.Store(true)
		if r := <-done; r.Accepted != n || r.Resent == 0 {
			t.Fatalf("%+v", r)
		}
		in.stop()
	})
}

// What an ingester died with is sent to its successor at once. What is stored
// then may be the first copy, so it is no duplicate from before the import.
func TestSuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := bus.NewMemory()
		deaf := startIngester(t, m, func(*relaypb.EventFrame) relaypb.Outcome { return relaypb.Outcome_OUTCOME_UNSPECIFIED })
		done := make(chan importer.Result, 1)
		go func() {
			r, err := imports(t, m, importer.Options{Stdin: strings.NewReader("a\nb\nc\nd\ne\n"), MaxLine: 10})
			if err != nil {
				t.Error(err)
			}
			done <- r
		}()
		time.Sleep(time.Second) // synctest's clock
		deaf.stop()
		if len(deaf.heard) != 5 {
			t.Fatalf("%d heard", len(deaf.heard))
		}
		heir := startIngester(t, m, func(e *relaypb.EventFrame) relaypb.Outcome {
			if string(e.Event) == "b" || string(e.Event) == "d" {
				return relaypb.Outcome_DUPLICATE
			}
			return relaypb.Outcome_NEW
		})
		r := <-done
		if r.Accepted != 3 || r.Found != 2 || r.Duplicate != 0 || r.Resent != 5 || r.Lines() != 5 || !r.Complete() || r.Took >= 2*time.Second {
			t.Fatalf("%+v: it waited for the time-out", r)
		}
		heir.stop()
	})
}

// A relay that is gone for long is given up, and what is open is counted.
func TestLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := imports(t, bus.NewMemory(), importer.Options{Stdin: strings.NewReader("a\nb\n"), MaxLine: 10})
		if !errors.Is(err, importer.ErrLost) || r.Unanswered != 2 || r.Complete() {
			t.Fatalf("%+v, %v", r, err)
		}
	})
}

func TestMissingFile(t *testing.T) {
	_, err := imports(t, bus.NewMemory(), importer.Options{Files: []string{"-", "no/such.jsonl"}, Stdin: strings.NewReader("")})
	if err == nil || !strings.Contains(err.Error(), "no/such.jsonl") {
		t.Fatal(err)
	}
}

func TestResultText(t *testing.T) {
	r := importer.Result{
		Accepted: 1234567, Found: 4, Duplicate: 2, TooLong: 1, Unanswered: 3, Took: 61234567890,
		Rejected: map[string]int{"invalid: b": 1, "invalid: a": 1, "blocked: c": 1000},
	}
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	want := `1,235,579 events in 1m1.23s (20,177/s)
   1,234,567  accepted
           4  accepted, found stored when sent again
           2  duplicate, stored before
           0  replaced, a newer version is stored
       1,003  rejected
                1,000 × blocked: c
                1 × invalid: a
                1 × invalid: b
                1 × line too long
           3  unanswered
`
	if b.String() != want {
		t.Fatalf("got\n%s", b.String())
	}
}
