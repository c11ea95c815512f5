package store

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// TestTranscripts runs testdata. An event is a line
//
//	<id> <author> <kind> <created_at> [<tag>=<value> …] [forged] [vanish]
//
// where vanish says that a request to vanish is meant for this relay, ids and authors are short hex, which stands for 32 bytes that begin with
// it; @ before short hex in filters and tags does the same. The commands are
//
//	commit                           verdicts, and the entries that Wait returns
//	scan [bytes=n] [rows=n] [asc]    the slices of a query, one line each
//	log from=n [bytes=n]             a range of the log
//	keys <space>                     what a keyspace holds
//	check, reopen, expire after=d    what they say
//	sweep [after=d] [most=n]         one step, and the entries that Wait returns
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		tr := &transcript{now: time.Unix(1_700_000_000, 0)}
		tr.opt = Options{FS: vfs.NewMem(), Now: func() time.Time { return tr.now }}
		tr.open(t)
		defer func() { tr.s.Close() }()
		datadriven.RunTest(t, path, tr.run)
	})
}

type transcript struct {
	s   *Store
	opt Options
	now time.Time
}

func (tr *transcript) open(t *testing.T) {
	var err error
	if tr.s, err = Open("store", tr.opt); err != nil {
		t.Fatal(err)
	}
}

func (tr *transcript) run(t *testing.T, d *datadriven.TestData) string {
	var out strings.Builder
	switch d.Cmd {
	case "commit":
		tr.commit(t, d, &out)
	case "scan":
		tr.scan(t, d, &out)
	case "log":
		from, size := 0, 0
		d.ScanArgs(t, "from", &from)
		d.MaybeScanArgs(t, "bytes", &size)
		withView(t, tr.s, func(v *View) {
			r, err := v.Log(subject.Seq(from), size)
			if err != nil {
				fmt.Fprintln(&out, err)
				return
			}
			for _, e := range r.Entries {
				fmt.Fprintln(&out, describe(e.Seq, e.Header, e.Removed))
			}
			fmt.Fprintf(&out, "next %d, head %d\n", r.Next, r.Head)
		})
	case "keys":
		space := d.CmdArgs[0].Key[0]
		it, err := tr.s.db.NewIter(within(space))
		if err != nil {
			t.Fatal(err)
		}
		for ok := it.First(); ok; ok = it.Next() {
			fmt.Fprintf(&out, "%c %s", space, shorten(it.Key()[1:]))
			switch v := it.Value(); {
			case bytes.Equal(it.Key(), metaID):
				out.WriteString(" = (random)")
			case len(v) > 0:
				fmt.Fprintf(&out, " = %s", shorten(v))
			}
			out.WriteByte('\n')
		}
		it.Close()
	case "check":
		r := checked(t, tr.s)
		fmt.Fprintf(&out, "head %d, %d events, %d ephemeral, %d stubs, %d removals, %d forgotten, %d index keys\n",
			r.Head, r.Events, r.Ephemeral, r.Stubs, r.Removed, r.Forgotten, r.IndexKeys)
		if r.Deletions+r.Vanished > 0 {
			fmt.Fprintf(&out, "%d deletions, %d vanished, %d vanishing, %d hidden\n",
				r.Deletions, r.Vanished, r.Vanishing, r.Hidden)
		}
	case "reopen":
		if err := tr.s.Close(); err != nil {
			t.Fatal(err)
		}
		tr.open(t)
	case "expire":
		var after string
		d.ScanArgs(t, "after", &after)
		dur, err := time.ParseDuration(after)
		if err != nil {
			t.Fatal(err)
		}
		tr.now = tr.now.Add(dur)
		more, err := tr.s.Expire(tr.now)
		fmt.Fprintf(&out, "more %v, error %v\n", more, err)
	case "sweep":
		tr.sweep(t, d, &out)
	default:
		t.Fatalf("%s: no such command %q", d.Pos, d.Cmd)
	}
	return out.String()
}

func (tr *transcript) commit(t *testing.T, d *datadriven.TestData, out *strings.Builder) {
	var batch []Incoming
	for line := range strings.Lines(d.Input) {
		batch = append(batch, parseLine(t, strings.Fields(line)))
	}
	verdicts, entries := commit(t, tr.s, batch...)
	for i, v := range verdicts {
		fmt.Fprintln(out, strings.TrimSpace(fmt.Sprintf("%s %v %s", name(batch[i].Header.ID()), v.Outcome, v.Text)))
	}
	for _, e := range entries {
		fmt.Fprintln(out, describe(e.Seq, e.Header, e.Removed))
	}
}

func (tr *transcript) sweep(t *testing.T, d *datadriven.TestData, out *strings.Builder) {
	after := "0s"
	d.MaybeScanArgs(t, "after", &after)
	dur, err := time.ParseDuration(after)
	if err != nil {
		t.Fatal(err)
	}
	tr.now = tr.now.Add(dur)
	tr.s.w.sweeper.most = maxRemovals
	d.MaybeScanArgs(t, "most", &tr.s.w.sweeper.most)
	c, more, err := tr.s.Sweep(tr.now)
	if err != nil {
		t.Fatal(err)
	}
	if c != nil {
		entries, _, err := c.Wait()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			fmt.Fprintln(out, describe(e.Seq, e.Header, e.Removed))
		}
	}
	fmt.Fprintf(out, "more %v\n", more)
}

func parseLine(t *testing.T, words []string) Incoming {
	number := func(s string) int64 {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	e := &nostr.Event{ID: nostr.EventID(long(t, words[0])), PubKey: nostr.PubKey(long(t, words[1])),
		Kind: nostr.Kind(number(words[2])), CreatedAt: number(words[3])}
	forged, vanish := false, false
	for _, w := range words[4:] {
		if name, value, ok := strings.Cut(w, "="); ok {
			value = shortHex.ReplaceAllStringFunc(value, func(s string) string {
				b := long(t, s[1:])
				return hex.EncodeToString(b[:])
			})
			e.Tags = append(e.Tags, nostr.Tag{name, value})
		} else {
			forged, vanish = forged || w == "forged", vanish || w == "vanish"
		}
	}
	in := incomingOf(e)
	in.Forged, in.Vanish = forged, vanish
	return in
}

func (tr *transcript) scan(t *testing.T, d *datadriven.TestData, out *strings.Builder) {
	req := ScanRequest{MaxTime: time.Hour, Now: tr.now.Unix(), Ascending: d.HasArg("asc")}
	d.MaybeScanArgs(t, "bytes", &req.MaxBytes)
	d.MaybeScanArgs(t, "rows", &req.MaxRows)
	for line := range strings.Lines(d.Input) {
		text := shortHex.ReplaceAllStringFunc(line, func(s string) string {
			b := long(t, s[1:])
			return hex.EncodeToString(b[:])
		})
		f, err := nostr.ParseFilter([]byte(text), nostr.FilterLimits{})
		if err != nil {
			t.Fatal(err)
		}
		req.Filters = append(req.Filters, f)
	}
	for {
		var res ScanResult
		withView(t, tr.s, func(v *View) {
			var err error
			if res, err = v.Scan(req); err != nil {
				t.Fatal(err)
			}
		})
		var ids []string
		for _, json := range res.Events {
			id, err := nostr.ParseEventID(string(json[7 : 7+64]))
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, name(id))
		}
		fmt.Fprintf(out, "[%s] as of %d", strings.Join(ids, " "), res.AsOf)
		if res.Done {
			out.WriteString(", done\n")
			return
		}
		out.WriteByte('\n')
		req.Cursor, req.AsOf = res.Cursor, res.AsOf
	}
}

var shortHex = regexp.MustCompile("@[0-9a-f]+")

// long returns the 32 bytes that short hex stands for.
func long(t *testing.T, short string) (b [32]byte) {
	if _, err := hex.Decode(b[:], []byte(short)); err != nil {
		t.Fatal(err)
	}
	return b
}

// name reverses long.
func name(id nostr.EventID) string { return hex.EncodeToString(id[:])[:max(2, 2*used(id[:]))] }

func used(b []byte) int {
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return len(b)
}

// shorten writes bytes as hex, and long runs of zeros as their number.
func shorten(b []byte) string {
	var out strings.Builder
	for len(b) > 0 {
		zeros := len(b) - len(bytes.TrimLeft(b, "\x00"))
		switch {
		case zeros >= 8:
			fmt.Fprintf(&out, "<%d×00>", zeros)
			b = b[zeros:]
		default:
			fmt.Fprintf(&out, "%02x", b[0])
			b = b[1:]
		}
	}
	return out.String()
}

// describe writes a log entry as a line of a transcript.
func describe(seq uint64, h nostr.Header, removed []*relaypb.Removed) string {
	s := fmt.Sprintf("%d:", seq)
	if len(h) > 0 {
		s += fmt.Sprintf(" %s kind %d", name(h.ID()), h.Kind())
	}
	for _, r := range removed {
		s += fmt.Sprintf(" removes %d (%s)", r.Seq, name(nostr.EventID(r.Id)))
	}
	return s
}
