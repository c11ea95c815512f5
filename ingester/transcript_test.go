package ingester

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"rhea/proto/limits"
	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/schnorr"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// transcript is a core, and the events and keys that a transcript has used.
type transcript struct {
	core   *core
	now    int64
	events map[string]*nostr.Event
	keys   map[nostr.PubKey]int
}

// TestTranscripts runs testdata/transcripts/*.txt. Commands:
//
//	core [size=N] [tags=N] [content=N] [past=N] [future=N] [seen=N] [now=N]
//	     [urls=(URL,…)] [pow=N] [kindpow=KIND:N] [mute]
//	event NAME [key=N] [kind=N] [at=N] [content=TEXT] [tags=N] [relays=N] [tag=(NAME,VALUE,…)]… [mine=N [target=TEXT]]
//	batch                                                 frames, one a line: CONN NUM EVENT
//
// An event is signed and remembered by its name. Lines below the command are its
// content; tags adds so many t tags, relays so many relay tags; mine adds a nonce tag
// that makes its difficulty exactly this.
//
// EVENT is a name, or forge:NAME (another signature), tamper:NAME (other content
// under the same id), trust:NAME and trust:forge:NAME (not verified), import:NAME
// (by an operator), or raw TEXT.
// Before it may stand as=KEY,… (keys that the connection has authenticated), or
// auth=CHALLENGE@HOST, which makes it an AUTH and not an EVENT.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		tr := &transcript{events: make(map[string]*nostr.Event), keys: make(map[nostr.PubKey]int)}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "core":
				return tr.newCore(t, d)
			case "rules":
				tr.core.setRules(tr.rules(t, d))
				return ""
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
	events := 100
	d.MaybeScanArgs(t, "seen", &events)
	d.MaybeScanArgs(t, "now", &tr.now)
	l, p := tr.rules(t, d)
	tr.core = newCore(l, p, events, newMetrics(stage.NewMetrics("ingester")))
	return ""
}

// rules are the defaults with what the arguments change.
func (tr *transcript) rules(t *testing.T, d *datadriven.TestData) (limits.Limits, policy.Policy) {
	l, p := limits.Default(), policy.Default()
	var kindPoW string
	d.MaybeScanArgs(t, "size", &l.MaxMessageLength)
	d.MaybeScanArgs(t, "tags", &l.MaxEventTags)
	d.MaybeScanArgs(t, "content", &l.MaxContentLength)
	d.MaybeScanArgs(t, "past", &l.CreatedAtLowerLimit)
	d.MaybeScanArgs(t, "future", &l.CreatedAtUpperLimit)
	d.MaybeScanArgs(t, "pow", &p.MinPoW)
	d.MaybeScanArgs(t, "kindpow", &kindPoW)
	if err := p.KindPoW.UnmarshalText([]byte(kindPoW)); err != nil {
		d.Fatalf(t, "%v", err)
	}
	for _, arg := range d.CmdArgs {
		switch arg.Key {
		case "urls":
			p.URLs = arg.Vals
		case "mute":
			p.Mute = true
		}
	}
	if err := p.Validate(); err != nil {
		d.Fatalf(t, "%v", err)
	}
	return l, p
}

func (tr *transcript) event(t *testing.T, d *datadriven.TestData) string {
	e := &nostr.Event{Content: d.Input}
	kind, at, key, n, relays, work, target := 1, int64(1000), 0, 0, 0, -1, ""
	d.MaybeScanArgs(t, "key", &key)
	d.MaybeScanArgs(t, "kind", &kind)
	d.MaybeScanArgs(t, "at", &at)
	d.MaybeScanArgs(t, "content", &e.Content)
	d.MaybeScanArgs(t, "tags", &n)
	d.MaybeScanArgs(t, "relays", &relays)
	d.MaybeScanArgs(t, "mine", &work)
	d.MaybeScanArgs(t, "target", &target)
	e.Kind, e.CreatedAt = nostr.Kind(kind), at
	for i := range n {
		e.Tags = append(e.Tags, nostr.Tag{"t", fmt.Sprint(i)})
	}
	for i := range relays {
		e.Tags = append(e.Tags, nostr.Tag{"relay", fmt.Sprintf("wss://%d.example.com", i)})
	}
	for _, arg := range d.CmdArgs {
		if arg.Key == "tag" {
			e.Tags = append(e.Tags, arg.Vals)
		}
	}
	e.PubKey = tr.pubkey(t, d, key)
	if work >= 0 {
		mine(e, work, target)
	}
	if err := nostrtest.Sign(e, nostrtest.Secret(uint64(key))); err != nil {
		d.Fatalf(t, "%v", err)
	}
	tr.events[d.CmdArgs[0].Key] = e
	return ""
}

// mine adds the first nonce that makes the difficulty of e exactly this.
func mine(e *nostr.Event, difficulty int, target string) {
	nonce := nostr.Tag{"nonce", ""}
	if target != "" {
		nonce = append(nonce, target)
	}
	e.Tags = append(e.Tags, nonce)
	for i := 0; e.ComputeID().Difficulty() != difficulty; i++ {
		nonce[1] = fmt.Sprint(i)
	}
}

// pubkey returns the public key of a number, and remembers whose it is.
func (tr *transcript) pubkey(t *testing.T, d *datadriven.TestData, key int) nostr.PubKey {
	secret := nostrtest.Secret(uint64(key))
	pubkey, err := schnorr.PublicKey(&secret)
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	tr.keys[pubkey] = key
	return pubkey
}

func (tr *transcript) batch(t *testing.T, d *datadriven.TestData) string {
	for line := range strings.Lines(d.Input) {
		tr.take(t, d, strings.TrimSpace(line))
	}
	waiting := tr.core.checks()
	w := crew{newWorker: really()}
	w.settle(&tr.core.together, &tr.core.alone, 1)
	var b strings.Builder
	for _, out := range tr.core.finish() {
		if v := out.verdict; v != nil {
			fmt.Fprintf(&b, "out %s: %d %s %s %q", out.gateway, v.Num, tr.nameOf(v.Id), v.Outcome, v.Text)
			if len(v.Key) > 0 {
				fmt.Fprintf(&b, " key=%d", tr.keys[nostr.PubKey(v.Key)])
			}
			b.WriteByte('\n')
			continue
		}
		a := out.admitted
		h, err := nostr.CheckHeader(a.Header)
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		id := h.ID()
		fmt.Fprintf(&b, "write: %d %d %s", uint32(a.Conn), a.Num, tr.nameOf(id[:]))
		for _, flag := range []struct {
			set  bool
			text string
		}{{a.Forged, " forged"}, {a.Vanish, " vanish"}, {a.Hear, " hear"}} {
			if flag.set {
				b.WriteString(flag.text)
			}
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "checks: %d\n", waiting)
	return b.String()
}

// take gives one line of a batch to the core.
func (tr *transcript) take(t *testing.T, d *datadriven.TestData, line string) {
	var conn, num uint64
	fields := strings.SplitN(line, " ", 3)
	if _, err := fmt.Sscanf(line, "%d %d", &conn, &num); err != nil || len(fields) < 3 {
		d.Fatalf(t, "%q: want CONN NUM EVENT", line)
	}
	conn = uint64(subject.MakeConnID(0xa, uint32(conn)))
	how, event, ok := strings.Cut(fields[2], " ")
	if login, isAuth := strings.CutPrefix(how, "auth="); ok && isAuth {
		f := &relaypb.AuthFrame{Conn: conn, Num: num}
		f.Challenge, f.Host, _ = strings.Cut(login, "@")
		f.Event, _ = tr.frame(t, d, event)
		tr.core.authenticate(f, tr.now)
		return
	}
	f := &relaypb.EventFrame{Conn: conn, Num: num}
	if keys, isKeys := strings.CutPrefix(how, "as="); ok && isKeys {
		for text := range strings.SplitSeq(keys, ",") {
			key, err := strconv.Atoi(text)
			if err != nil {
				d.Fatalf(t, "%q: %v", line, err)
			}
			pubkey := tr.pubkey(t, d, key)
			f.Keys = append(f.Keys, pubkey[:])
		}
	} else {
		event = fields[2]
	}
	event, f.Imported = strings.CutPrefix(event, "import:")
	f.Event, f.Trusted = tr.frame(t, d, event)
	tr.core.take(f, tr.now)
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
