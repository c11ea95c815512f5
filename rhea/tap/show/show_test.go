package show

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"google.golang.org/protobuf/proto"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
	"rhea/rhea/tap"
)

// The recording of the transcripts: a client publishes an event that another is
// subscribed to, a third reads and closes; the recorder loses something.
const (
	gateway = 0x1a2b3c4d
	alice   = uint64(gateway)<<32 | 17
	bob     = uint64(gateway)<<32 | 18
	note    = `{"id":"9f3ac21b7e0d445500000000000000000000000000000000000000000000abcd","pubkey":"00000000000000000000000000000000000000000000000000000000000000aa","created_at":1700000000,"kind":1,"tags":[],"content":"hi","sig":""}`
)

func began() time.Time { return time.Unix(1_700_000_000, 0) }

func header() []byte {
	e := &nostr.Event{Kind: 1, CreatedAt: 1_700_000_000}
	copy(e.ID[:], "\x9f\x3a\xc2\x1b\x7e\x0d\x44\x55")
	e.ID[30], e.ID[31] = 0xab, 0xcd
	return nostr.AppendHeader(nil, e)
}

// recording writes the story.
func recording(t testing.TB) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := tap.NewWriter(&file, tap.Header{
		Prefix: "rhea", Shards: 16, Started: began().UTC(), Host: "box", Version: "1.2", Subjects: []string{"rhea.v1.>"}, Redacted: []string{"auth"},
		Members: []tap.Member{{Stage: "writer", Instance: "0000000a", Host: "box", Seq: 811}, {Stage: "gateway", Instance: "1a2b3c4d", Host: "box"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	add := func(subj, reply string, messages ...proto.Message) {
		at += 1_100_000
		m := tap.Message{At: began().Add(time.Duration(at)), Subject: "rhea.v1." + subj, Reply: reply}
		var bodies [][]byte
		for _, body := range messages {
			b, err := proto.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, b)
		}
		m.Data = bus.Join(m.At.Add(-310_000), bodies...)
		if err := w.Append(m); err != nil {
			t.Fatal(err)
		}
	}
	out := func(b *relaypb.OutInbox) *relaypb.OutInbox { return b }
	add("hello", "", &relaypb.Hello{})
	add("member.writer", "", &relaypb.Member{Stage: "writer", Instance: 10, Host: "box", Pid: 7, Version: "1.2", Shards: 16, Seq: 811, Store: 0xfeed, Stats: map[string]float64{"b": 1.5, "a": 2}})
	add("req.1", "", &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Query{Query: &relaypb.Query{Conn: bob, Num: 1, Filters: []byte(`{"kinds":[1]}`), Granted: 65536, Keys: [][]byte{bytes.Repeat([]byte{0xcd}, 32)}}}})
	add("scan", "rhea.v1.reply.reqworker.lot.1", &relaypb.ScanInbox{Body: &relaypb.ScanInbox_Scan{Scan: &relaypb.Scan{Filters: []byte(`{"kinds":[1]}`), MaxBytes: 65536, Want: relaypb.Want_COUNT}}})
	add("reply.reqworker.lot.1", "", &relaypb.ScanReply{AsOf: 811, Done: true, Completeness: relaypb.Completeness_FINISH})
	add("out.1a2b3c4d", "", out(&relaypb.OutInbox{Body: &relaypb.OutInbox_Part{Part: &relaypb.Part{Num: 1, Worker: 5, AsOf: 811, Eose: true, Completeness: relaypb.Completeness_FINISH}}}))
	add("sub.1", "", &relaypb.SubInbox{Body: &relaypb.SubInbox_Watch{Watch: &relaypb.Watch{Conn: bob, Num: 2, After: 811, Filters: []byte(`{"kinds":[1]}`)}}})
	add("ingest.1", "", &relaypb.IngestInbox{Body: &relaypb.IngestInbox_Event{Event: &relaypb.EventFrame{Conn: alice, Num: 3, Event: []byte(note)}}},
		&relaypb.IngestInbox{Body: &relaypb.IngestInbox_Event{Event: &relaypb.EventFrame{Conn: alice, Num: 4, Event: []byte("not\x1b[2J an event\n"), Trusted: true}}})
	add("out.1a2b3c4d", "", out(&relaypb.OutInbox{Body: &relaypb.OutInbox_Verdict{Verdict: &relaypb.Verdict{Num: 4, Outcome: relaypb.Outcome_INVALID, Text: "invalid: \x1b\"no event\"\n"}}}))
	add("write", "", &relaypb.WriteInbox{Body: &relaypb.WriteInbox_Admitted{Admitted: &relaypb.Admitted{Conn: alice, Num: 3, Header: header(), Json: []byte(note)}}})
	add("log", "", &relaypb.LogInbox{Body: &relaypb.LogInbox_Entries{Entries: &relaypb.Entries{Store: 0xfeed, From: 812, Next: 813, Head: 812, Entries: []*relaypb.Entry{{Seq: 812, Header: header(), Json: []byte(note)}}}}})
	add("out.1a2b3c4d", "", out(&relaypb.OutInbox{Body: &relaypb.OutInbox_Verdict{Verdict: &relaypb.Verdict{Num: 3, Id: header()[1:33], Outcome: relaypb.Outcome_NEW}}}),
		out(&relaypb.OutInbox{Body: &relaypb.OutInbox_Deliveries{Deliveries: &relaypb.Deliveries{Monitor: 6, Number: 1, Upto: 812, Watching: []uint64{2}, Events: []*relaypb.Delivery{{Seq: 812, Json: []byte(note), Nums: []uint64{2}}}}}}))
	if err := w.Note(tap.Note{At: began().Add(20 * time.Millisecond), Kind: tap.Dropped, Count: 12, Text: "the recorder did not keep up"}); err != nil {
		t.Fatal(err)
	}
	add("sub.1", "", &relaypb.SubInbox{Body: &relaypb.SubInbox_Unwatch{Unwatch: &relaypb.Unwatch{Conn: bob, Num: 2}}})
	add("req.1", "", &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Query{Query: &relaypb.Query{Conn: alice, Num: 5, Filters: []byte(`{`)}}})
	add("out.1a2b3c4d", "", out(&relaypb.OutInbox{Body: &relaypb.OutInbox_Part{Part: &relaypb.Part{Num: 5, Worker: 5, AsOf: 811, Events: slicesOf(note, 6)}}}))
	if err := w.Append(tap.Message{At: began().Add(30 * time.Millisecond), Subject: "rhea.v1.write", Data: []byte("foreign")}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(began().Add(31*time.Millisecond), "interrupted"); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func slicesOf(s string, n int) (list [][]byte) {
	for range n {
		list = append(list, []byte(s))
	}
	return list
}

func TestShow(t *testing.T) {
	file := recording(t)
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var o Options
			var err error
			for _, arg := range d.CmdArgs {
				value := strings.Join(arg.Vals, "")
				var e error
				switch arg.Key {
				case "json":
					o.JSON = true
				case "conn":
					o.Filter.Conn, e = ParseConn(value)
				case "subject":
					o.Filter.Subject = value
				case "event":
					o.Filter.Event, e = ParseEvent(value)
				case "from":
					o.Filter.From, e = ParseWhen(value)
				case "to":
					o.Filter.To, e = ParseWhen(value)
				default:
					t.Fatalf("what is %s?", arg.Key)
				}
				err = errors.Join(err, e)
			}
			if err != nil {
				return err.Error() + "\n"
			}
			return shown(t, file, o)
		})
	})
}

func shown(t testing.TB, file []byte, o Options) string {
	t.Helper()
	r, err := tap.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	result, err := Run(r, &text, o)
	if err != nil {
		fmt.Fprintf(&text, "error: %v\n", err)
	}
	fmt.Fprintf(&text, "(%d)\n", result.Shown)
	return text.String()
}

// A recording that is cut shows what is whole, one that is damaged what is not.
func TestShowBroken(t *testing.T) {
	file := recording(t)
	if text := shown(t, file[:len(file)-1], Options{}); !strings.Contains(text, "error: the recording is cut") {
		t.Error(text)
	}
	bad := bytes.Clone(file)
	bad[len(bad)-20] ^= 1
	if text := shown(t, append(bad, file[len(file)/2:]...), Options{}); !strings.Contains(text, "error: the recording is cut") {
		t.Error(text)
	}
}

// full is an output that nobody takes.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestNobodyReads(t *testing.T) {
	for _, live := range []bool{true, false} {
		r, err := tap.NewReader(bytes.NewReader(recording(t)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Run(r, full{}, Options{Live: live}); !errors.Is(err, io.ErrClosedPipe) {
			t.Error(err)
		}
	}
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		pattern, subj string
		want          bool
	}{
		{"a.*", "a.b", true}, {"a.*", "a", false}, {"a.*", "a.b.c", false}, {"a.>", "a.b.c", true}, {"a.>", "a", false}, {">", "a", true},
		{"a", "a", true}, {"a", "b", false}, {"a.b", "a", false},
	} {
		if covers(c.pattern, c.subj) != c.want {
			t.Errorf("%s, %s: %v", c.pattern, c.subj, !c.want)
		}
	}
}

// An answer is put to its question's connection as long as that is remembered, and
// memory is bounded.
func TestAsked(t *testing.T) {
	a := newAsked()
	for i := range uint64(5 * maxAsked) {
		a.remember(question{"g", i}, subject.ConnID(i))
	}
	if len(a.young)+len(a.old) > 2*maxAsked {
		t.Errorf("%d are remembered", len(a.young)+len(a.old))
	}
	for i := range uint64(maxAsked) {
		num := 5*maxAsked - 1 - i
		if conn, ok := a.find(question{"g", num}); !ok || conn != subject.ConnID(num) {
			t.Fatalf("%d is forgotten", num)
		}
	}
}
