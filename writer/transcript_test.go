package writer

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/proto"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
	"rhea/writer/store"
)

// transcript is a store in memory and the events that a transcript has made, by
// name.
type transcript struct {
	store  *store.Store
	events map[string]*nostr.Event
}

// TestTranscripts runs testdata/transcripts/*.txt. Commands:
//
//	event NAME [key=N] [kind=N] [at=N] [d=TEXT] [size=N] [target=NAME]
//	                                                       an event, remembered by name
//	commit                                                 events of one commit, one a line: CONN NUM EVENT
//
// EVENT is a name, or a name after one of these: forged, no-header, cut-header,
// no-json, cut-json, other-json (that of another event of the same author), vanish
// (the request is meant for this relay), hear (its gateway wants to know who has
// heard it).
// commit prints what goes out: entries of the log, then verdicts. sweep takes one
// step, and prints what is published.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		st, err := store.Open("store", store.Options{FS: vfs.NewMem()})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		}()
		tr := &transcript{store: st, events: make(map[string]*nostr.Event)}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "event":
				return tr.event(t, d)
			case "commit":
				return tr.commit(t, d)
			case "sweep":
				return tr.sweep(t, d)
			}
			d.Fatalf(t, "unknown command")
			return ""
		})
	})
}

func (tr *transcript) event(t *testing.T, d *datadriven.TestData) string {
	e := &nostr.Event{}
	key, kind, at, size, address := 0, 1, int64(1000), 0, "-"
	d.MaybeScanArgs(t, "key", &key)
	d.MaybeScanArgs(t, "kind", &kind)
	d.MaybeScanArgs(t, "at", &at)
	d.MaybeScanArgs(t, "size", &size)
	d.MaybeScanArgs(t, "d", &address)
	e.Kind, e.CreatedAt, e.Content = nostr.Kind(kind), at, d.CmdArgs[0].Key
	if size > 0 {
		e.Tags = append(e.Tags, nostr.Tag{"t", strings.Repeat("x", size)})
	}
	if address != "-" {
		e.Tags = append(e.Tags, nostr.Tag{"d", address})
	}
	if d.HasArg("target") {
		var target string
		d.ScanArgs(t, "target", &target)
		e.Tags = append(e.Tags, nostr.Tag{"e", tr.events[target].ID.String()})
	}
	if err := nostrtest.Sign(e, nostrtest.Secret(uint64(key))); err != nil {
		d.Fatalf(t, "%v", err)
	}
	tr.events[d.CmdArgs[0].Key] = e
	return ""
}

func (tr *transcript) commit(t *testing.T, d *datadriven.TestData) string {
	var b batch
	var out strings.Builder
	for line := range strings.Lines(d.Input) {
		var conn, num uint64
		var what string
		if _, err := fmt.Sscan(line, &conn, &num, &what); err != nil {
			d.Fatalf(t, "%q: want CONN NUM EVENT", line)
		}
		a := tr.admitted(t, d, strings.Fields(line)[2:])
		a.Conn, a.Num = uint64(subject.MakeConnID(subject.Instance(conn), 1)), num
		if !b.add(a) {
			fmt.Fprintf(&out, "malformed: %d\n", num)
		}
	}
	c, err := tr.store.Commit(b.incoming)
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	tr.publish(t, c, &out)
	for _, a := range answers(b.asked, c.Verdicts) {
		v := a.verdict
		fmt.Fprintf(&out, "out %s: %d %s %s %q\n", a.gateway, v.Num, tr.nameOf(v.Id), v.Outcome, v.Text)
	}
	return out.String()
}

func (tr *transcript) sweep(t *testing.T, d *datadriven.TestData) string {
	var out strings.Builder
	c, more, err := tr.store.Sweep(time.Unix(2000, 0))
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	if c != nil {
		tr.publish(t, c, &out)
	}
	fmt.Fprintf(&out, "more %v\n", more)
	return out.String()
}

// publish waits for a commit and prints its entries as they are published.
func (tr *transcript) publish(t *testing.T, c *store.Commit, out *strings.Builder) {
	entries, head, err := c.Wait()
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range pieces(tr.store.ID(), entries, head, time.Unix(0, 0)) {
		fmt.Fprintf(out, "log: %d up to %d, head %d", piece.From, piece.Next, piece.Head)
		for _, e := range piece.Entries {
			out.WriteByte(' ')
			if len(e.Header) > 0 {
				out.WriteString(tr.nameOf(e.Header[1:33]))
			}
			for _, r := range e.Removed {
				fmt.Fprintf(out, "(-%d %s of %d)", r.Seq, tr.nameOf(r.Id), r.CreatedAt)
			}
			if e.Asker != 0 {
				fmt.Fprintf(out, "(%s asks with %d)", subject.Instance(e.Asker), e.Num)
			}
		}
		out.WriteByte('\n')
	}
}

func (tr *transcript) admitted(t *testing.T, d *datadriven.TestData, words []string) *relaypb.Admitted {
	e := tr.events[words[0]]
	if e == nil {
		d.Fatalf(t, "no event %q", words[0])
	}
	a := admittedOf(e)
	for _, how := range words[1:] {
		switch how {
		case "forged":
			a.Forged = true
		case "vanish":
			a.Vanish = true
		case "hear":
			a.Hear = true
		case "no-header":
			a.Header = nil
		case "cut-header":
			a.Header = a.Header[:50]
		case "no-json":
			a.Json = nil
		case "cut-json":
			a.Json = a.Json[:len(a.Json)-20]
		case "other-json":
			other := *e
			other.CreatedAt++
			a.Json = other.AppendJSON(nil)
		default:
			d.Fatalf(t, "%q?", how)
		}
	}
	return a
}

func (tr *transcript) nameOf(id []byte) string {
	for name, e := range tr.events {
		if bytes.Equal(e.ID[:], id) {
			return name
		}
	}
	return "-"
}

// Pieces of the log are dense, in order, and no larger than a batch of the bus
// unless a single entry is.
func TestPieces(t *testing.T) {
	gen := nostrtest.NewEventGen(1, 1_700_000_000)
	var entries []*relaypb.Entry
	for i := range 2000 {
		e := gen.Event()
		if i%500 == 7 {
			e.Content = strings.Repeat("large ", 10_000)
		}
		a := admittedOf(e)
		entries = append(entries, &relaypb.Entry{Seq: uint64(100 + i), Header: a.Header, Json: a.Json})
	}
	next := uint64(100)
	for _, p := range pieces(7, entries, 5000, time.Unix(0, 9)) {
		if p.From != next || p.Next != p.From+uint64(len(p.Entries)) || p.Head != 5000 || p.Store != 7 || p.Committed != 9 {
			t.Fatalf("piece from %d to %d with %d entries, want from %d", p.From, p.Next, len(p.Entries), next)
		}
		if size := proto.Size(p); size > 50<<10 && len(p.Entries) > 1 {
			t.Errorf("a piece of %d entries has %d bytes", len(p.Entries), size)
		}
		next = p.Next
	}
	if next != 2100 {
		t.Errorf("the pieces end at %d", next)
	}
}
