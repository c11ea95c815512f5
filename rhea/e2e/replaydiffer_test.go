package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/relaypb"
	"rhea/rhea/tap"
	"rhea/rhea/tap/decode"
)

// cast is who plays in the session of the tutorial: docs/tutorial-replay.md.
type cast struct {
	t     *testing.T
	relay *relay
	conns []*actor
}

func (c *cast) connect() *actor {
	c.t.Helper()
	a, err := newActor(c.relay.url)
	if err != nil {
		c.t.Fatal(err)
	}
	c.conns = append(c.conns, a)
	return a
}

// say sends a frame and returns what comes until a frame of one of the verbs.
func (c *cast) say(a *actor, frame string, verbs ...string) (frames []string) {
	c.t.Helper()
	if err := a.send(frame); err != nil {
		c.t.Fatal(err)
	}
	for {
		f, ok := a.take(cue)
		if !ok {
			c.t.Fatalf("%s: no answer", frame)
		}
		frames = append(frames, f)
		for _, v := range verbs {
			if strings.HasPrefix(f, `["`+v+`"`) {
				return frames
			}
		}
	}
}

// event signs an event of one of two people.
func (c *cast) event(who byte, kind nostr.Kind, at int64, content string, tags ...nostr.Tag) string {
	c.t.Helper()
	e := &nostr.Event{Kind: kind, CreatedAt: at, Content: content, Tags: tags}
	if err := nostrtest.Sign(e, [32]byte{31: who}); err != nil {
		c.t.Fatal(err)
	}
	return string(e.AppendJSON(nil))
}

const (
	alice = 1
	bob   = 2
)

// bobsKey is the public key of secret key 2.
const bobsKey = "c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"

// tutorial plays the session: Bob's client asks for his timeline and his messages
// first, and says who he is afterwards.
func (c *cast) tutorial() {
	const day = 1_700_000_000
	a := c.connect()
	for i := range int64(3) {
		c.say(a, `["EVENT",`+c.event(alice, 4, day+i, fmt.Sprintf("for bob, %d", i+1), nostr.Tag{"p", bobsKey})+`]`, "OK")
	}
	c.say(a, `["EVENT",`+c.event(alice, 1, day+3, "good morning")+`]`, "OK")

	b := c.connect()
	challenge, _ := b.take(cue)
	var parts []string
	if err := json.Unmarshal([]byte(challenge), &parts); err != nil || len(parts) != 2 {
		c.t.Fatalf("%s: %v", challenge, err)
	}
	c.say(b, `["REQ","home",{"kinds":[1,4],"limit":50}]`, "EOSE")
	c.say(b, `["AUTH",`+c.event(bob, 22242, time.Now().Unix(), "", nostr.Tag{"relay", c.relay.url}, nostr.Tag{"challenge", parts[1]})+`]`, "OK")
	c.say(a, `["EVENT",`+c.event(alice, 4, day+4, "for bob, 4", nostr.Tag{"p", bobsKey})+`]`, "OK")
	for f, ok := b.take(cue); !strings.Contains(f, "for bob, 4"); f, ok = b.take(cue) {
		if !ok {
			c.t.Fatal("the live message does not come")
		}
	}
	c.say(b, `["COUNT","n",{"kinds":[1]}]`, "COUNT")
	c.say(b, `["NEG-OPEN","n",{"kinds":[1]},"6100000200"]`, "NEG-MSG")
}

func (c *cast) close() {
	for _, a := range c.conns {
		a.close()
	}
}

// tutorialSession is a recording of it.
func tutorialSession(t *testing.T) string {
	t.Helper()
	r := start(t, "solo", "", nil)
	rec := record(t, r)
	c := &cast{t: t, relay: r}
	c.tutorial()
	rec.until(" NegReply ")
	file := rec.end()
	c.close()
	r.stop()
	return file
}

// altered copies a recording with every message that edit changes.
func altered(t *testing.T, from string, edit func(m proto.Message) bool) string {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	r, err := tap.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "altered.rec")
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w, err := tap.NewWriter(out, r.Header())
	if err != nil {
		t.Fatal(err)
	}
	changed := 0
	for {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		said := decode.Message(r.Header().Prefix, m.Subject, m.Data)
		var bodies [][]byte
		for _, x := range said.Messages {
			if edit(decode.Body(x)) {
				changed++
			}
			b, err := proto.Marshal(x)
			if err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, b)
		}
		m.Data = bus.Join(said.Sent, bodies...)
		if err := w.Append(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(time.Now(), "altered"); err != nil {
		t.Fatal(err)
	}
	if changed != 1 {
		t.Fatalf("%d messages were altered, want 1", changed)
	}
	return to
}

// firstOf makes an edit of the first message that it is for.
func firstOf[M proto.Message](change func(M) bool) func(proto.Message) bool {
	done := false
	return func(m proto.Message) bool {
		if x, ok := m.(M); ok && !done {
			done = change(x)
			return done
		}
		return false
	}
}

// What was recorded otherwise than the stages answer is found, by the whole relay and
// by the stage alone, and shown.
func TestReplayFindsDifferences(t *testing.T) {
	file := tutorialSession(t)
	for _, c := range []struct {
		name, stage string
		edit        func(proto.Message) bool
		want        string // in the output, … is anything
	}{
		{"a verdict", "writer", firstOf(func(v *relaypb.Verdict) bool {
			v.Outcome, v.Text = relaypb.Outcome_REPLACED, "replaced: have newer version"
			return true
		}), "EVENT of …\n  - REPLACED replaced: have newer version\n  + NEW\n"},
		{"an admitted event", "ingester", firstOf(func(a *relaypb.Admitted) bool {
			a.Vanish = true
			return true
		}), "EVENT of …\n  - ADMITTED … vanish\n  + ADMITTED …\n"},
		// A reqworker alone sees no events: the writer has sent them.
		{"an event of an answer", "writer", firstOf(func(p *relaypb.Part) bool {
			if len(p.Events) == 0 {
				return false
			}
			p.Events = p.Events[1:]
			return true
		}), "0 recorded, 1 replayed; they part at 1\n  + …\n"},
		{"the end of an answer", "reqworker", firstOf(func(p *relaypb.Part) bool {
			p.Completeness = relaypb.Completeness_MORE
			return p.Eose
		}), "REQ of …\n  - EOSE more\n  + EOSE finish\n"},
		{"a count", "reqworker", firstOf(func(m *relaypb.Counted) bool {
			m.Count = 7
			return true
		}), "COUNT of …\n  - COUNT 7\n  + COUNT 1\n"},
		{"a live event", "monitor", firstOf(func(d *relaypb.Deliveries) bool {
			if len(d.Events) == 0 {
				return false
			}
			d.Events = append(d.Events, proto.Clone(d.Events[0]).(*relaypb.Delivery))
			d.Events[1].Seq++
			d.Events[1].Json[len(`{"id":"`)] ^= 1
			return true
		}), "subscription of …\n    1 recorded, 0 replayed; they part at 1\n  - …\n"},
		{"a negentropy message", "negentropy", firstOf(func(r *relaypb.NegReply) bool {
			r.Message[len(r.Message)-1] ^= 1
			return true
		}), "NEG of …\n    1 recorded, 1 replayed; they part at 1\n  - …\n  + …\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := altered(t, file, c.edit)
			for _, stage := range []string{"", c.stage} {
				if stage == "" && c.stage == "ingester" {
					continue // between the stages of a whole relay nothing is compared
				}
				out, code, err := rheaReplay("--expect", path, "--stage", stage)
				if err != nil || code != 1 || !like(c.want, out) || !strings.Contains(out, "1 of ") {
					t.Errorf("--stage %q: %v, exit code %d\n%s\nwant\n%s", stage, err, code, out, c.want)
				}
			}
		})
	}
}

// like says whether a text contains another, in which … is anything.
func like(want, text string) bool {
	parts := strings.Split(want, "…")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile("(?s)" + strings.Join(parts, ".*")).MatchString(text)
}

// The tutorial's steps, and what they come to.
func TestReplayTutorial(t *testing.T) {
	file := tutorialSession(t)
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"--expect", 0, "0  different"},
		{"--expect --stage reqworker", 0, "0  different"},
		{"--expect --stage monitor", 0, "0  different"},
		{"--expect --policy.private_kinds=", 1, "REQ of …{\"kinds\":[1,4],\"limit\":50}\n    1 recorded, 4 replayed; they part at 2\n  …"},
		{"--expect --stage reqworker --limits.max_limit=1 --limits.default_limit=1", 1, "    it has asked the store what the recording has no reply to: {\"kinds\":[1,4],\"limit\":1}\n  - …\n  - EOSE finish\n  + (no answer)"},
		{"--expect --limits.max_content_length=8", 1, "EVENT of …\n  - NEW\n  + BLOCKED invalid: the content has more than 8 characters\n"},
		{"--expect --stage ingester --limits.max_content_length=8", 1, "EVENT of …\n  - ADMITTED …\n  + BLOCKED invalid: the content has more than 8 characters\n"},
	} {
		out, code, err := rheaReplay(append(strings.Fields(c.args), file)...)
		t.Logf("rhea replay %s\n%s", c.args, out)
		if err != nil || code != c.code || !like(c.want, out) {
			t.Errorf("rhea replay %s: %v, exit code %d, want %d and\n%s", c.args, err, code, c.code, c.want)
		}
	}
	if path := os.Getenv("RHEA_TUTORIAL"); path != "" {
		b, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(path, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
