package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
)

// TestReload rewrites the file of a running relay, whose clients stay: every stage
// goes by the new settings, a typo keeps the old ones and says why, and what needs a
// restart is named.
func TestReload(t *testing.T) {
	for _, mode := range []string{"up", "solo"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			f := &reloaded{t: t, path: filepath.Join(t.TempDir(), "rhea.toml")}
			f.write("[relay]\nname = \"one\"\n[limits]\nmax_subscriptions = 2\n")
			f.relay = start(t, mode, "", []string{"--config", f.path})
			f.eventually("the first name", func() bool { return f.name() == "one" })
			witness := dial(t, f.relay.url)
			live, err := witness.subscribe("live", "{}")
			if err != nil || witness.waitEOSE(live) != nil {
				t.Fatal("no subscription: ", err)
			}
			before := f.publish(true, 7000)
			f.hears(witness, live, before)

			f.write("[relay]\nname = \"two\"\n[limits]\nmax_subscriptions = 1\nmax_event_tags = 1\n" +
				"[policy]\nprivate_kinds = \"7000\"\n[writer]\ncache = \"32MiB\"\n")
			f.eventually("the second name", func() bool { return f.name() == "two" })
			f.eventually("the word of every process", func() bool {
				return f.logged("settings have changed") == map[string]int{"up": 6, "solo": 1}[mode]
			})
			if f.logged("settings=[writer.cache]") != 1 {
				t.Error("that writer.cache needs a restart is not said once")
			}
			f.eventually("all stages to go by the new settings", f.strict)
			hidden := f.publish(true, 7000)
			shown := f.publish(true, 1)
			f.hears(witness, live, shown)
			if slices.Contains(live.all(), hidden) {
				t.Error("a live subscription is sent an event of a kind that has become private")
			}

			f.write("[relay]\nname = \"three\"\n[limits]\nmax_subscription = 9\n")
			f.eventually("why the file is bad", func() bool {
				return f.logged("[limits] has no key \\\"max_subscription\\\"; did you mean max_subscriptions?") > 0
			})
			if f.name() != "two" || !f.strict() {
				t.Error("a bad file has changed something")
			}
			f.write("[relay]\nname = \"four\"\n")
			if err := f.relay.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			f.eventually("the fourth name", func() bool { return f.name() == "four" })
			f.eventually("the old settings", func() bool { return !f.strict() })
			f.hears(witness, live, f.publish(true, 7000)) // over the same connection all the time
		})
	}
}

// reloaded is a relay with a file.
type reloaded struct {
	t     *testing.T
	path  string
	relay *relay
	count int
}

func (f *reloaded) write(text string) {
	f.t.Helper()
	if err := os.WriteFile(f.path, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// eventually waits for what a poll of the file, or a turn of a loop, brings.
func (f *reloaded) eventually(what string, cond func() bool) {
	f.t.Helper()
	tick, late := time.NewTicker(100*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for !cond() {
		select {
		case <-late:
			f.t.Fatalf("still waiting for %s", what)
		case <-tick.C:
		}
	}
}

func (f *reloaded) logged(text string) int { return strings.Count(f.relay.logs.tail(1<<20), text) }

// name is that of the relay's information document.
func (f *reloaded) name() string {
	req, err := http.NewRequest("GET", "http"+strings.TrimPrefix(f.relay.url, "ws"), nil)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Accept", "application/nostr+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	var doc struct{ Name string }
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		f.t.Fatal(err)
	}
	return doc.Name
}

// publish publishes an event of a kind and checks whether it is accepted.
func (f *reloaded) publish(accepted bool, kind nostr.Kind, tags ...nostr.Tag) nostr.EventID {
	f.t.Helper()
	f.count++
	e := &nostr.Event{CreatedAt: int64(1_700_000_000 + f.count), Kind: kind, Tags: tags, Content: fmt.Sprint(f.count)}
	if err := nostrtest.Sign(e, nostrtest.Secret(1)); err != nil {
		f.t.Fatal(err)
	}
	c := dial(f.t, f.relay.url)
	defer c.close()
	if o, err := c.publish(e.AppendJSON(nil), e.ID.String()); err != nil || o.accepted != accepted {
		f.t.Fatalf("an event of kind %d: %+v, %v", kind, o, err)
	}
	return e.ID
}

// hears waits until a live subscription has an event.
func (f *reloaded) hears(c *client, s *subscription, id nostr.EventID) {
	f.t.Helper()
	if err := c.wait(s, func() bool { return slices.Contains(s.events, id) }); err != nil {
		f.t.Fatalf("event %s: %v", id, err)
	}
}

// strict reports whether each stage goes by the second file.
func (f *reloaded) strict() bool {
	c := dial(f.t, f.relay.url)
	defer c.close()
	// The gateway: one subscription, which stays open.
	all, err := c.subscribe("all", "{}")
	if err != nil || c.waitEOSE(all) != nil {
		f.t.Fatal("no stored events: ", err)
	}
	more, err := c.subscribe("more", "{}")
	if err != nil {
		f.t.Fatal(err)
	}
	crowded := c.waitEOSE(more)
	// The writer: nothing of kind 7000 among all that is stored.
	stored, err := c.query("all", `{"kinds":[7000,7001]}`)
	if err != nil {
		f.t.Fatal(err)
	}
	// The reqworker: who asks for that alone must say who he is.
	_, alone := c.query("all", `{"kinds":[7000]}`)
	// The ingester: one tag.
	e := &nostr.Event{CreatedAt: 1_700_000_000, Kind: 1, Tags: []nostr.Tag{{"t", "a"}, {"t", "b"}}}
	if err := nostrtest.Sign(e, nostrtest.Secret(2)); err != nil {
		f.t.Fatal(err)
	}
	tagged, err := c.publish(e.AppendJSON(nil), e.ID.String())
	if err != nil {
		f.t.Fatal(err)
	}
	session := f.refusesSession()
	f.t.Log(crowded, len(stored), alone, tagged, session)
	return crowded != nil && len(stored) == 0 && alone != nil && !tagged.accepted && session
}

// refusesSession reports whether negentropy wants to know who asks for kind 7000.
func (f *reloaded) refusesSession() bool {
	a, err := newActor(f.relay.url)
	if err != nil {
		f.t.Fatal(err)
	}
	defer a.close()
	if err := a.send(`["NEG-OPEN","n",{"kinds":[7000]},"61"]`); err != nil {
		f.t.Fatal(err)
	}
	for {
		text, ok := a.take(patience)
		switch {
		case !ok:
			f.t.Fatal("no answer to NEG-OPEN")
		case strings.HasPrefix(text, `["NEG-ERR"`):
			return strings.Contains(text, "auth-required")
		case strings.HasPrefix(text, `["NEG-MSG"`):
			return false
		}
	}
}
