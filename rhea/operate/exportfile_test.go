package operate

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/zstd"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/relaypb"
)

// library answers scans over events as the naive oracle would, seven a slice, until it
// has answered as often as it may.
func library(t *testing.T, b *bus.Bus, events []*nostr.Event, may *atomic.Int64) {
	inbox := bus.Listen(b, func() *relaypb.ScanInbox { return new(relaypb.ScanInbox) }, 0)
	if err := inbox.Add(b.Space.Scan()); err != nil {
		t.Fatal(err)
	}
	answer := func(ask *relaypb.Scan) *relaypb.ScanReply {
		if may.Add(-1) < 0 {
			return &relaypb.ScanReply{Error: "invalid: cut"}
		}
		found := asked(t, events, ask.Filters)
		if ask.Ascending {
			slices.Reverse(found)
		}
		if ask.Want == relaypb.Want_COUNT {
			return &relaypb.ScanReply{Count: uint64(len(found)), Done: true}
		}
		at := 0
		if len(ask.Cursor) > 0 {
			at = int(binary.BigEndian.Uint64(ask.Cursor))
		}
		reply := &relaypb.ScanReply{}
		for ; at < len(found) && len(reply.Events) < 7; at++ {
			reply.Events = append(reply.Events, found[at].AppendJSON(nil))
		}
		if reply.Done = at == len(found); !reply.Done {
			reply.Cursor = binary.BigEndian.AppendUint64(nil, uint64(at))
		}
		return reply
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case msg := <-inbox.C():
				inbox.Each(msg, func(m *relaypb.ScanInbox) { b.Reply(msg, answer(m.GetScan())) })
			}
		}
	}()
	t.Cleanup(func() { stop(); <-done; inbox.Close() })
}

// asked returns the events of a comma-separated list of filters, as it stands in a Scan.
func asked(t *testing.T, events []*nostr.Event, filters []byte) []*nostr.Event {
	var list []json.RawMessage
	if err := json.Unmarshal(fmt.Appendf(nil, "[%s]", filters), &list); err != nil {
		t.Error(err)
	}
	var each [][]byte
	for _, one := range list {
		each = append(each, one)
	}
	return nostrtest.OracleJSON(events, each...)
}

// someEvents returns n events of a few seconds.
func someEvents(t *testing.T, n int) []*nostr.Event {
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var events []*nostr.Event
	for range n {
		e := &nostr.Event{Kind: nostr.Kind(rng.IntN(3)), CreatedAt: 1000 + rng.Int64N(20)}
		binary.BigEndian.PutUint64(e.ID[:], rng.Uint64())
		events = append(events, e)
	}
	return events
}

func text(events []*nostr.Event) string {
	var b []byte
	for _, e := range events {
		b = append(e.AppendJSON(b), '\n')
	}
	return string(b)
}

// An export that is cut anywhere, and whose part ends in anything, goes on to be the
// same as one that was not cut.
func TestResumeExport(t *testing.T) {
	events := someEvents(t, 300)
	join := memory(t)
	var may atomic.Int64
	library(t, join(), events, &may)
	b := join()
	for _, ascending := range []bool{true, false} {
		want := nostrtest.OracleJSON(events, []byte(`{"kinds":[0,1]}`))
		if ascending {
			slices.Reverse(want)
		}
		for _, tail := range []string{"", "\x00\x00\x00", `{"id":"`, text(want[:1]), "nonsense\n" + text(want[len(want)-1:])} {
			for _, answers := range []int64{0, 1, 12} {
				dir := t.TempDir()
				name := filepath.Join(dir, "out.jsonl")
				q := Query{Filters: []string{`{"kinds":[0,1]}`}, Ascending: ascending}
				may.Store(answers)
				n, err := ResumeExport(t.Context(), b, q, name)
				if err == nil || n != 7*int(answers) {
					t.Fatalf("%d events, %v", n, err)
				}
				parts, err := filepath.Glob(name + ".part-*")
				if err != nil || len(parts) != 1 {
					t.Fatal(parts, err)
				}
				if answers > 0 || !strings.Contains(tail, "}") { // what is whole and first is no damage
					part, err := os.OpenFile(parts[0], os.O_WRONLY|os.O_APPEND, 0)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := part.WriteString(tail); err != nil {
						t.Fatal(err)
					}
					part.Close()
				}
				may.Store(1 << 40)
				n, err = ResumeExport(t.Context(), b, q, name)
				if err != nil || n != len(want)-7*int(answers) {
					t.Fatalf("%d events behind %d of %d, %v", n, 7*answers, len(want), err)
				}
				if got, err := os.ReadFile(name); err != nil || string(got) != text(want) {
					t.Fatalf("%v; got\n%.2000s\nwant\n%.2000s", err, got, text(want))
				}
				if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
					t.Fatal(left, err)
				}
			}
		}
	}
}

// The part of another query is not gone on with, nor one that somebody writes.
func TestResumeExportOfAnother(t *testing.T) {
	events := someEvents(t, 100)
	join := memory(t)
	var may atomic.Int64
	library(t, join(), events, &may)
	b := join()
	name := filepath.Join(t.TempDir(), "out.jsonl")
	may.Store(3)
	if _, err := ResumeExport(t.Context(), b, Query{Ascending: true}, name); err == nil {
		t.Fatal("it is not cut")
	}
	may.Store(1 << 40)
	since := int64(1010)
	for _, q := range []Query{{}, {Ascending: true, Since: &since}, {Ascending: true, Filters: []string{`{"kinds":[2]}`}}} {
		filters, err := q.bounded()
		if err != nil {
			t.Fatal(err)
		}
		if n, err := ResumeExport(t.Context(), b, q, name); err != nil || n != len(asked(t, events, filters)) {
			t.Fatalf("%+v: %d, %v", q, n, err)
		}
	}
	for _, bad := range []struct {
		q    Query
		name string
		want string
	}{
		{Query{}, name + ".gz", "only a plain file"},
		{Query{Limit: 1}, name, "with a limit"},
		{Query{Filters: []string{`{"limit":3}`}}, name, "with a limit"},
	} {
		if _, err := ResumeExport(t.Context(), b, bad.q, bad.name); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%v; want %s", err, bad.want)
		}
	}
}

// A file has its name when it is whole; of an export that is cut nothing is left.
func TestExportFile(t *testing.T) {
	events := someEvents(t, 300)
	join := memory(t)
	var may atomic.Int64
	library(t, join(), events, &may)
	b := join()
	dir := t.TempDir()
	for name, unpack := range map[string]func(io.Reader) (io.Reader, error){
		"a.jsonl": func(r io.Reader) (io.Reader, error) { return r, nil },
		"a.gz":    func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"a.zst":   func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r, zstd.WithDecoderConcurrency(1)) },
	} {
		path := filepath.Join(dir, name)
		may.Store(5)
		if _, err := ExportFile(t.Context(), b, Query{}, path); err == nil {
			t.Fatal("it is not cut")
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Fatal(left, err)
		}
		may.Store(1 << 40)
		if n, err := ExportFile(t.Context(), b, Query{}, path); err != nil || n != 300 {
			t.Fatal(n, err)
		}
		packed, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := unpack(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != text(nostrtest.OracleJSON(events, []byte("{}"))) {
			t.Fatalf("%s: %v, %.200s", name, err, got)
		}
		if name != "a.jsonl" && len(packed) > 60*len(events) {
			t.Errorf("%s has %d bytes: it is not compressed", name, len(packed))
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// Bounds narrow filters and never widen them, arrays are their filters, and a count is
// that of a scan.
func TestBoundsAndCounts(t *testing.T) {
	events := someEvents(t, 300)
	join := memory(t)
	var may atomic.Int64
	may.Store(1 << 40)
	library(t, join(), events, &may)
	b := join()
	at := func(second int64) *int64 { return &second }
	for _, c := range []struct {
		args         []string
		since, until *int64
		limit        int
		want         string // the same for the oracle
	}{
		{nil, nil, nil, 0, `{}`},
		{nil, at(1005), at(1010), 0, `{"since":1005,"until":1010}`},
		{[]string{`{"since":1008,"kinds":[1]}`, `{"until":1006}`}, at(1005), at(1010), 0, `{"since":1008,"until":1010,"kinds":[1]},{"since":1005,"until":1006}`},
		{[]string{` [{"kinds":[1]}, {"since":1003}]`}, nil, at(1010), 0, `{"until":1010,"kinds":[1]},{"since":1003,"until":1010}`},
		{[]string{`{"limit":30}`}, nil, nil, 0, `{"limit":30}`},
		{[]string{`{"kinds":[1]}`}, nil, nil, 5, `{"kinds":[1],"limit":5}`},
	} {
		filters, err := Filters(c.args)
		if err != nil {
			t.Fatal(err)
		}
		q := Query{Filters: filters, Since: c.since, Until: c.until, Limit: c.limit}
		want := asked(t, events, []byte(c.want))
		var out bytes.Buffer
		if n, err := Scan(t.Context(), b, q, &out); err != nil || n != len(want) || out.String() != text(want) {
			t.Errorf("%s: %d events, want %d; %v", c.args, n, len(want), err)
		}
		if n, err := Count(t.Context(), b, q); err != nil || n != len(want) {
			t.Errorf("%s: counts %d events, want %d; %v", c.args, n, len(want), err)
		}
	}
	for _, bad := range []string{`[]`, `[{"kinds":[1]}`, `[1]`} {
		filters, err := Filters([]string{bad})
		if err == nil {
			err = Query{Filters: filters}.Check()
		}
		if err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
	if err := (Query{Since: at(2), Until: at(1)}).Check(); err == nil || fmt.Sprint(err) != "nothing is since 2 and until 1" {
		t.Error(err)
	}
}
