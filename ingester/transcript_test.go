package ingester

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"rhea/proto/limits"
	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/relaypb"
	"rhea/proto/schnorr"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// transcript is a core and the events that a transcript has made, by name.
type transcript struct {
	core   *core
	now    int64
	events map[string]*nostr.Event
}

// TestTranscripts runs testdata/transcripts/*.txt. Commands:
//
//	core [size=N] [tags=N] [content=N] [past=N] [future=N] [seen=N] [now=N]
//	event NAME [key=N] [kind=N] [at=N] [content=TEXT]     a signed event, remembered by name
//	batch                                                 frames, one a line: CONN NUM EVENT
//
// EVENT is a name, or forge:NAME (another signature), tamper:NAME (other content
// under the same id), trust:NAME and trust:forge:NAME (an import), or raw TEXT.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		tr := &transcript{events: make(map[string]*nostr.Event)}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "core":
				return tr.newCore(t, d)
			case "event":
				return tr.event(t, d)
			case "batch":
				return tr.batch(t, d)
			}
			d.Fatalf(t, "unknown command")
			return ""
		})
	})
}

func (tr *transcript) newCore(t *testing.T, d *datadriven.TestData) string {
	l, events := limits.Default(), 100
	d.MaybeScanArgs(t, "size", &l.MaxMessageLength)
	d.MaybeScanArgs(t, "tags", &l.MaxEventTags)
	d.MaybeScanArgs(t, "content", &l.MaxContentLength)
	d.MaybeScanArgs(t, "past", &l.CreatedAtLowerLimit)
	d.MaybeScanArgs(t, "future", &l.CreatedAtUpperLimit)
	d.MaybeScanArgs(t, "seen", &events)
	d.MaybeScanArgs(t, "now", &tr.now)
	tr.core = newCore(l, events, newMetrics(stage.NewMetrics("ingester")))
	return ""
}

func (tr *transcript) event(t *testing.T, d *datadriven.TestData) string {
	e := &nostr.Event{CreatedAt: 1000, Kind: 1}
	var key, kind, n int
	var at int64
	kind, at = 1, 1000
	d.MaybeScanArgs(t, "key", &key)
	d.MaybeScanArgs(t, "kind", &kind)
	d.MaybeScanArgs(t, "at", &at)
	d.MaybeScanArgs(t, "content", &e.Content)
	d.MaybeScanArgs(t, "tags", &n)
	e.Kind, e.CreatedAt = nostr.Kind(kind), at
	for i := range n {
		e.Tags = append(e.Tags, nostr.Tag{"t", fmt.Sprint(i)})
	}
	if err := nostrtest.Sign(e, nostrtest.Secret(uint64(key))); err != nil {
		d.Fatalf(t, "%v", err)
	}
	tr.events[d.CmdArgs[0].Key] = e
	return ""
}

func (tr *transcript) batch(t *testing.T, d *datadriven.TestData) string {
	for line := range strings.Lines(d.Input) {
		var conn, num uint64
		fields := strings.SplitN(strings.TrimSpace(line), " ", 3)
		if _, err := fmt.Sscanf(fields[0]+" "+fields[1], "%d %d", &conn, &num); err != nil || len(fields) < 3 {
			d.Fatalf(t, "%q: want CONN NUM EVENT", line)
		}
		f := &relaypb.EventFrame{Conn: uint64(subject.MakeConnID(0xa, uint32(conn))), Num: num}
		f.Event, f.Trusted = tr.frame(t, d, fields[2])
		tr.core.take(f, tr.now)
	}
	waiting := len(tr.core.checks)
	verifyAll(schnorr.Verify, tr.core.checks, 1)
	var b strings.Builder
	for _, out := range tr.core.finish() {
		if v := out.verdict; v != nil {
			fmt.Fprintf(&b, "out %s: %d %s %s %q\n", out.gateway, v.Num, tr.nameOf(v.Id), v.Outcome, v.Text)
			continue
		}
		a := out.admitted
		h, err := nostr.CheckHeader(a.Header)
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		id := h.ID()
		fmt.Fprintf(&b, "write: %d %d %s", uint32(a.Conn), a.Num, tr.nameOf(id[:]))
		if a.Forged {
			b.WriteString(" forged")
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "checks: %d\n", waiting)
	return b.String()
}

func (tr *transcript) frame(t *testing.T, d *datadriven.TestData, text string) (raw []byte, trusted bool) {
	if raw, ok := strings.CutPrefix(text, "raw "); ok {
		return []byte(raw), false
	}
	text, trusted = strings.CutPrefix(text, "trust:")
	text, forged := strings.CutPrefix(text, "forge:")
	text, tampered := strings.CutPrefix(text, "tamper:")
	e := tr.events[text]
	if e == nil {
		d.Fatalf(t, "no event %q", text)
	}
	c := *e
	if forged {
		c.Sig[63] ^= 1
	}
	if tampered {
		c.Content += "!"
	}
	return c.AppendJSON(nil), trusted
}

func (tr *transcript) nameOf(id []byte) string {
	for name, e := range tr.events {
		if string(e.ID[:]) == string(id) {
			return name
		}
	}
	if len(id) == 0 {
		return "-"
	}
	return fmt.Sprintf("%x", id)
}
