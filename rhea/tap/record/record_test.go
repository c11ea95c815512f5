package record

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
	"rhea/rhea/tap"
	"rhea/rhea/tap/decode"
)

// world is a bus with one process on it and a recorder, within a synctest bubble.
type world struct {
	t      *testing.T
	memory *bus.Memory
	space  subject.Space
	bus    *bus.Bus // of the process
	file   bytes.Buffer
	stop   context.CancelFunc
	done   chan error
	result Progress
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func begin(t *testing.T, o Options, to io.Writer) *world {
	t.Helper()
	space, err := subject.New("a.b", 16)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, memory: bus.NewMemory(), space: space, done: make(chan error, 1)}
	w.bus = w.memory.Join(space, quiet())
	if to == nil {
		to = &w.file
	}
	ctx, stop := context.WithCancel(t.Context())
	w.stop = stop
	roster := bus.NewRoster(w.bus, subject.Monitor, "v", func(m *relaypb.Member) { m.Seq = uint64(time.Now().Unix()) })
	go roster.Run(ctx)
	started := make(chan struct{})
	o.Started = func() { close(started) }
	recorder := w.memory.Join(space, quiet())
	go func() {
		var err error
		w.result, err = Run(ctx, recorder, to, o)
		w.done <- err
	}()
	select {
	case <-started:
	case err := <-w.done:
		t.Fatal(err)
	}
	return w
}

func (w *world) say(subj string, m proto.Message) {
	w.t.Helper()
	if err := w.bus.Publish(subj, m); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

// end interrupts the recorder and returns what it has written.
func (w *world) end() (messages []tap.Message, notes []tap.Note, header tap.Header) {
	w.t.Helper()
	w.stop()
	if err := <-w.done; err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
	return parse(w.t, w.file.Bytes())
}

func parse(t *testing.T, file []byte) (messages []tap.Message, notes []tap.Note, header tap.Header) {
	t.Helper()
	r, err := tap.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	r.Note = func(n tap.Note) { notes = append(notes, n) }
	for {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			return messages, notes, r.Header()
		}
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, m)
	}
}

func fetch(from uint64) *relaypb.LogFetch { return &relaypb.LogFetch{From: from} }

func TestRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, Options{Version: "1"}, nil)
		began := time.Now()
		for i := range 100 {
			w.say(w.space.LogFetch(), fetch(uint64(i)))
			time.Sleep(time.Second / 10)
		}
		messages, notes, header := w.end()
		members, next := 0, uint64(0)
		for _, m := range messages {
			s := decode.Message("a.b", m.Subject, m.Data)
			if s.Err != nil {
				t.Fatal(s.Err)
			}
			switch said := s.Messages[0].(type) {
			case *relaypb.Member:
				members++
			case *relaypb.LogFetch:
				want := began.Add(time.Duration(next) * time.Second / 10)
				if said.From != next || !m.At.Equal(want) || !s.Sent.Equal(want) {
					t.Fatalf("message %d at %s, sent %s, is %v", next, m.At, s.Sent, said)
				}
				next++
			}
		}
		// One for the Hello, one as it begins or goes; not two a second, although its Seq
		// changes.
		if next != 100 || members == 0 || members > 3 {
			t.Errorf("%d messages, %d announcements", next, members)
		}
		if len(notes) != 1 || notes[0].Kind != tap.Ended || notes[0].Text != ByHand || w.result.Why != ByHand || w.result.Messages != len(messages) {
			t.Errorf("%+v %+v", notes, w.result)
		}
		if header.Prefix != "a.b" || header.Shards != 16 || len(header.Members) != 1 || header.Members[0].Instance != w.bus.Instance.String() ||
			!slices.Equal(header.Subjects, []string{"a.b.v1.>"}) || header.Host == "" {
			t.Errorf("%+v", header)
		}
	})
}

// What was said is in the file a moment later, whatever becomes of the recorder.
func TestFlushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, Options{Subjects: []string{"log.fetch"}}, nil)
		w.say(w.space.LogFetch(), fetch(7))
		time.Sleep(flushEvery)
		synctest.Wait()
		r, err := tap.NewReader(bytes.NewReader(bytes.Clone(w.file.Bytes())))
		if err != nil {
			t.Fatal(err)
		}
		if m, err := r.Next(); err != nil || m.Subject != w.space.LogFetch() {
			t.Errorf("%v %v", m, err)
		}
		w.end()
	})
}

func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, Options{Subjects: []string{"log.fetch"}, MaxAge: 10 * time.Second}, nil)
		time.Sleep(11 * time.Second)
		if err := <-w.done; err != nil || w.result.Why != ByAge || w.result.Took > 10*time.Second+flushEvery {
			t.Errorf("%v %+v", err, w.result)
		}
		w.stop()
	})
	synctest.Test(t, func(t *testing.T) {
		const most = 20_000
		w := begin(t, Options{MaxSize: most}, nil)
		for i := range uint64(100_000) {
			w.say(w.space.LogFetch(), fetch(i*i*i))
			if i%100 == 0 {
				time.Sleep(flushEvery)
			}
			if len(w.done) > 0 {
				break
			}
		}
		if err := <-w.done; err != nil || w.result.Why != BySize || w.result.Bytes < most || w.result.Bytes > most+most/2 || int(w.result.Bytes) != w.file.Len() {
			t.Errorf("%v %+v, %d bytes", err, w.result, w.file.Len())
		}
		w.stop()
	})
}

// gate is a file that takes nothing until it is opened.
type gate struct {
	bytes.Buffer
	header chan struct{} // closed after the first write
	opened chan struct{}
}

func (g *gate) Write(p []byte) (int, error) {
	select {
	case <-g.header:
		<-g.opened
	default:
		close(g.header)
	}
	return g.Buffer.Write(p)
}

// A recorder that cannot keep up loses messages, says how many in the recording, and
// goes on with the next ones.
func TestLosses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{header: make(chan struct{}), opened: make(chan struct{})}
		const room = 10
		w := begin(t, Options{Subjects: []string{"log.fetch"}, Queue: room * (perMessage + 100)}, g)
		w.say(w.space.LogFetch(), fetch(0))
		time.Sleep(flushEvery) // the disk hangs
		synctest.Wait()
		for i := range uint64(100) {
			w.say(w.space.LogFetch(), fetch(1+i))
		}
		close(g.opened)
		time.Sleep(2 * flushEvery)
		w.say(w.space.LogFetch(), fetch(1000))
		w.stop()
		if err := <-w.done; err != nil {
			t.Fatal(err)
		}
		messages, notes, _ := parse(t, g.Bytes())
		lost := 102 - len(messages)
		if lost < 80 || len(notes) != 2 || notes[0].Kind != tap.Dropped || notes[0].Count != uint64(lost) || w.result.Dropped != uint64(lost) {
			t.Errorf("%d are missing; %+v; %+v", lost, notes, w.result)
		}
		s := decode.Message("a.b", messages[len(messages)-1].Subject, messages[len(messages)-1].Data)
		if got := s.Messages[0].(*relaypb.LogFetch).From; got != 1000 {
			t.Errorf("the last is %d", got)
		}
	})
}

func TestRedact(t *testing.T) {
	key, other := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	secrets := []string{"a challenge", "an auth event", "host.example", string(key), "machine.example", "192.0.2.7"}
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, Options{Redact: []string{Auth, Addresses}}, nil)
		w.say(w.space.Ingest(1), &relaypb.IngestInbox{Body: &relaypb.IngestInbox_Auth{Auth: &relaypb.AuthFrame{
			Conn: 1, Num: 2, Event: []byte(`{"content":"an auth event"}`), Challenge: "a challenge", Host: "host.example",
		}}})
		w.say(w.space.Out(1), &relaypb.OutInbox{Body: &relaypb.OutInbox_Verdict{Verdict: &relaypb.Verdict{Num: 2, Key: key}}})
		w.say(w.space.Ingest(1), &relaypb.IngestInbox{Body: &relaypb.IngestInbox_Event{Event: &relaypb.EventFrame{Num: 3, Event: []byte("{}"), Source: "192.0.2.7", Keys: [][]byte{other, key}}}})
		w.say(w.space.Req(1), &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Query{Query: &relaypb.Query{Num: 4, Source: "192.0.2.7", Keys: [][]byte{key}}}})
		w.say(w.space.Sub(1), &relaypb.SubInbox{Body: &relaypb.SubInbox_Watch{Watch: &relaypb.Watch{Num: 5, Keys: [][]byte{key}}}})
		w.say(w.space.Neg(1), &relaypb.NegInbox{Body: &relaypb.NegInbox_Open{Open: &relaypb.NegOpen{Num: 6, Source: "192.0.2.7", Keys: [][]byte{key}}}})
		w.say(w.space.Scan(), &relaypb.ScanInbox{Body: &relaypb.ScanInbox_Scan{Scan: &relaypb.Scan{AsOf: 7, Keys: [][]byte{key}}}})
		w.say(w.space.Member(subject.Writer), &relaypb.Member{Stage: "writer", Instance: 9, Host: "machine.example", Pid: 17, Seq: 8})
		w.say("a.b.v1.unknown.1", &relaypb.Member{Host: "machine.example"})
		messages, _, header := w.end()
		host, _ := os.Hostname()
		secrets = append(secrets, host)
		if header.Host != "" || header.Members[0].Host != "" || !slices.Equal(header.Redacted, []string{Auth, Addresses}) {
			t.Errorf("%+v", header)
		}
		var keys [][]byte
		nums := 0
		for _, m := range messages {
			for _, secret := range secrets {
				if bytes.Contains(m.Data, []byte(secret)) {
					t.Errorf("%q is on %s", secret, m.Subject)
				}
			}
			for _, said := range decode.Message("a.b", m.Subject, m.Data).Messages {
				switch said := decode.Body(said).(type) {
				case *relaypb.AuthFrame:
					nums += int(said.Num)
				case *relaypb.Verdict:
					nums, keys = nums+int(said.Num), append(keys, said.Key)
				case *relaypb.EventFrame:
					nums, keys = nums+int(said.Num), append(keys, said.Keys[1])
					if bytes.Equal(said.Keys[0], said.Keys[1]) || bytes.Equal(said.Keys[0], other) {
						t.Error("two keys have become one, or one has stayed")
					}
				case *relaypb.Query:
					nums, keys = nums+int(said.Num), append(keys, said.Keys...)
				case *relaypb.Watch:
					nums, keys = nums+int(said.Num), append(keys, said.Keys...)
				case *relaypb.NegOpen:
					nums, keys = nums+int(said.Num), append(keys, said.Keys...)
				case *relaypb.Scan:
					nums, keys = nums+int(said.AsOf), append(keys, said.Keys...)
				case *relaypb.Member:
					if said.Seq == 8 {
						nums += 8
					}
				}
			}
		}
		if nums != 2+2+3+4+5+6+7+8 || len(keys) != 6 {
			t.Errorf("what is no secret has gone too: %d, %d keys", nums, len(keys))
		}
		for _, k := range keys {
			if len(k) != 32 || !bytes.Equal(k, keys[0]) {
				t.Errorf("one key has become several: %x", keys)
			}
		}
	})
}

func TestOptionsRefused(t *testing.T) {
	for _, c := range []struct{ list, want string }{
		{"", "no subject"}, {"a..b", "no subject"}, {">.a", "no subject"}, {"a*", "no subject"}, {"a b", "no subject"},
		{"ingest.>,ingest.3", "overlap"}, {"out.*,*.1", "overlap"}, {"a,a", "overlap"}, {">,write", "overlap"},
		{"ingest.>,write,req.*,req", ""}, {"log,log.fetch", ""}, {"log.>,log", ""},
	} {
		err := CheckSubjects(strings.Split(c.list, ","))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.list, err, c.want)
		}
	}
	if CheckRedact([]string{"auth", "addresses"}) != nil || CheckRedact([]string{"content"}) == nil {
		t.Error("redact")
	}
	if got := Subjects("a.b", []string{"ingest.>", "a.b.v1.write"}); !slices.Equal(got, []string{"a.b.v1.ingest.>", "a.b.v1.write"}) {
		t.Errorf("%q", got)
	}
}

// The file is new, its owner's alone, and whole when the disk is full.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.rec")
	full := func(f *os.File) (Progress, error) {
		_, err := f.WriteString("whole and a half")
		return Progress{Messages: 3, Bytes: 5}, errors.Join(err, &os.PathError{Op: "write", Path: path, Err: syscall.ENOSPC})
	}
	_, err := create(path, full)
	text, _ := os.ReadFile(path)
	if err == nil || !strings.Contains(err.Error(), "the disk is full") || strings.Contains(err.Error(), "\n") || string(text) != "whole" {
		t.Errorf("%v, %q", err, text)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if _, err := create(path, full); err == nil || !strings.Contains(err.Error(), "never written over") {
		t.Error(err)
	}
	none := filepath.Join(t.TempDir(), "y.rec")
	if _, err := create(none, func(f *os.File) (Progress, error) { return Progress{}, errors.New("no bus") }); err == nil || err.Error() != "no bus" {
		t.Error(err)
	}
	if _, err := os.Stat(none); !os.IsNotExist(err) {
		t.Error("something is left of a recording of nothing")
	}
}
