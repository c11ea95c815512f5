package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	fiatjaf "fiatjaf.com/nostr"
	fiatjaf77 "fiatjaf.com/nostr/nip77"
	fiatjafneg "fiatjaf.com/nostr/nip77/negentropy"
	fiatjafvector "fiatjaf.com/nostr/nip77/negentropy/storage/vector"
	gonostr "github.com/nbd-wtf/go-nostr"
	gonostr77 "github.com/nbd-wtf/go-nostr/nip77"
	gonostrneg "github.com/nbd-wtf/go-nostr/nip77/negentropy"
	gonostrvector "github.com/nbd-wtf/go-nostr/nip77/negentropy/storage/vector"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
)

// initiator is a client's side of negentropy, as other projects wrote it.
type initiator interface {
	Start() string
	Reconcile(msg string) (string, error) // "" when it is done
}

// initiators make one for the events that a client has; after the session they
// return the ids that it has and needs.
var initiators = map[string]func(events []*nostr.Event, frame int) (initiator, func() (have, need []string)){
	"go-nostr": func(events []*nostr.Event, frame int) (initiator, func() (have, need []string)) {
		v := gonostrvector.New()
		for _, e := range events {
			v.Insert(gonostr.Timestamp(e.CreatedAt), e.ID.String())
		}
		v.Seal()
		n := gonostrneg.New(v, frame)
		have, need := gather(n.Haves, func(s string) string { return s }), gather(n.HaveNots, func(s string) string { return s })
		return n, func() ([]string, []string) { return <-have, <-need }
	},
	"fiatjaf.com": func(events []*nostr.Event, frame int) (initiator, func() (have, need []string)) {
		v := fiatjafvector.New()
		for _, e := range events {
			v.Insert(fiatjaf.Timestamp(e.CreatedAt), fiatjaf.ID(e.ID))
		}
		v.Seal()
		n := fiatjafneg.New(v, frame, true, true)
		have, need := gather(n.Haves, fiatjaf.ID.Hex), gather(n.HaveNots, fiatjaf.ID.Hex)
		return n, func() ([]string, []string) { return <-have, <-need }
	},
}

// gather returns what comes until a channel is closed: sorted, each once.
func gather[T any](c chan T, text func(T) string) <-chan []string {
	out := make(chan []string, 1)
	go func() {
		var all []string
		for v := range c {
			all = append(all, text(v))
		}
		slices.Sort(all)
		out <- slices.Compact(all)
	}()
	return out
}

// reconcile runs a session over a connection of its own.
func reconcile(t *testing.T, r *relay, filter string, n initiator) (turns, longest int) {
	t.Helper()
	a, err := newActor(r.url)
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	a.send(fmt.Sprintf(`["NEG-OPEN","n",%s,%q]`, filter, n.Start()))
	for turns = 1; ; turns++ {
		var frame []string
		for len(frame) == 0 || frame[0] == "AUTH" {
			text, ok := a.take(patience)
			if !ok {
				t.Fatalf("no answer in turn %d", turns)
			}
			frame = nil
			if err := json.Unmarshal([]byte(text), &frame); err != nil || len(frame) == 3 && frame[0] != "NEG-MSG" {
				t.Fatalf("turn %d: %s", turns, text)
			}
		}
		longest = max(longest, len(frame[2])/2)
		msg, err := n.Reconcile(frame[2])
		if err != nil {
			t.Fatalf("turn %d: %v", turns, err)
		}
		if msg == "" {
			a.send(`["NEG-CLOSE","n"]`)
			return turns, longest
		}
		a.send(fmt.Sprintf(`["NEG-MSG","n",%q]`, msg))
	}
}

// unsigned makes n events of one author that are valid but for their signatures, for
// an import that trusts them. Some share a second.
func unsigned(rng *rand.Rand, author byte, n int) []*nostr.Event {
	events := make([]*nostr.Event, n)
	for i := range events {
		e := &nostr.Event{PubKey: sha256.Sum256([]byte{author}), CreatedAt: 1_600_000_000 + rng.Int64N(int64(n)), Kind: 1}
		e.Content = fmt.Sprint(author, " ", rng.Uint64())
		e.ID = e.ComputeID()
		events[i] = e
	}
	return events
}

// fill imports events without a look at their signatures.
func (r *relay) fill(events []*nostr.Event) {
	r.t.Helper()
	var lines bytes.Buffer
	for _, e := range events {
		lines.Write(e.AppendJSON(nil))
		lines.WriteByte('\n')
	}
	if out, errs, err := r.rhea(&lines, "import", "--no-verify"); err != nil {
		r.t.Fatalf("import: %v\n%s%s", err, out, errs)
	}
}

func sortedIDs(events []*nostr.Event) []string {
	ids := idStrings(events)
	slices.Sort(ids)
	return ids
}

// checkSession demands that a client that has mine learns exactly what it has and the
// relay has not, and the other way round.
func checkSession(t *testing.T, r *relay, name, filter string, frame int, mine, have, need []*nostr.Event) {
	t.Helper()
	n, found := initiators[name](mine, frame)
	begin := time.Now()
	turns, longest := reconcile(t, r, filter, n)
	gotHave, gotNeed := found()
	if want := sortedIDs(have); !slices.Equal(gotHave, want) {
		t.Errorf("have: %d ids, want %d", len(gotHave), len(want))
	}
	if want := sortedIDs(need); !slices.Equal(gotNeed, want) {
		t.Errorf("need: %d ids, want %d", len(gotNeed), len(want))
	}
	t.Logf("%d turns, %v, the longest message %d bytes", turns, time.Since(begin).Round(time.Millisecond), longest)
}

// Clients of other projects find the differences between their events and the
// relay's, by the tree ({}) and by a scan (authors), whatever the differences and
// however short the messages.
func TestNegentropyClients(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	stored, others := unsigned(rng, 1, 3000), unsigned(rng, 2, 3000)
	half := len(stored) / 2
	for _, frames := range []struct {
		relay, client int
	}{{60_000, 60_000}, {4096, 4096}, {4096, 0}} {
		r := start(t, "solo", "", nil, fmt.Sprint("RHEA_NEGENTROPY_FRAME_BYTES=", frames.relay))
		r.fill(stored)
		for name := range initiators {
			for _, c := range []struct {
				name             string
				mine, have, need []*nostr.Event
			}{
				{"nothing", stored, nil, nil},
				{"one more", stored[1:], nil, stored[:1]},
				{"one less", append([]*nostr.Event{others[0]}, stored...), others[:1], nil},
				{"half", append(slices.Clone(others[:half]), stored[half:]...), others[:half], stored[:half]},
				{"everything", others, others, stored},
				{"all of it", nil, nil, stored},
			} {
				for by, filter := range map[string]string{"tree": `{}`, "scan": fmt.Sprintf(`{"authors":[%q]}`, stored[0].PubKey)} {
					t.Run(fmt.Sprint(frames.relay, " ", frames.client, "/", name, "/", c.name, "/", by), func(t *testing.T) {
						checkSession(t, r, name, filter, frames.client, c.mine, c.have, c.need)
					})
				}
			}
		}
		r.stop()
	}
}

// The same with 100,000 events that differ by little, by half, and by everything.
func TestNegentropyHundredThousand(t *testing.T) {
	if testing.Short() {
		t.Skip("100,000 events")
	}
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	stored, others := unsigned(rng, 1, 100_000), unsigned(rng, 2, 50_000)
	r := start(t, "up", "", nil)
	r.fill(stored)
	for name := range initiators {
		t.Run(name, func(t *testing.T) {
			checkSession(t, r, name, `{}`, 60_000, stored, nil, nil)
			checkSession(t, r, name, `{}`, 60_000, append(slices.Clone(others[:10]), stored[10:]...), others[:10], stored[:10])
			checkSession(t, r, name, `{}`, 60_000, append(slices.Clone(others), stored[50_000:]...), others, stored[:50_000])
			checkSession(t, r, name, `{"since":1,"kinds":[1]}`, 60_000, nil, nil, stored)
		})
	}
}

// Other projects' own commands bring two relays to the same events.
func TestNegentropySync(t *testing.T) {
	for name, sync := range map[string]func(ctx context.Context, from, to string) error{
		"go-nostr": func(ctx context.Context, from, to string) error {
			local, err := gonostr.RelayConnect(ctx, from)
			if err != nil {
				return err
			}
			defer local.Close()
			return gonostr77.NegentropySync(ctx, local, to, gonostr.Filter{Kinds: []int{1}}, gonostr77.Both)
		},
		"fiatjaf.com": func(ctx context.Context, from, to string) error {
			local, err := fiatjaf.RelayConnect(ctx, from, fiatjaf.RelayOptions{})
			if err != nil {
				return err
			}
			defer local.Close()
			return fiatjaf77.NegentropySync(ctx, to, fiatjaf.Filter{Kinds: []fiatjaf.Kind{1}}, local, local, fiatjaf77.SyncEventsFromIDs)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if raceDetector && name == "go-nostr" {
				t.Skip("its pool of lists of ids, and the end of its connection, are data races")
			}
			a, b := start(t, "solo", "", nil), start(t, "up", "", nil)
			var all []*nostr.Event
			for i := range 300 {
				e := &nostr.Event{CreatedAt: 1_700_000_000 + int64(i/2), Kind: 1, Content: fmt.Sprint(i)}
				if err := nostrtest.Sign(e, nostrtest.Secret(uint64(i%5))); err != nil {
					t.Fatal(err)
				}
				all = append(all, e)
			}
			a.fill(all[:200])
			b.fill(all[100:])
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := sync(ctx, a.url, b.url); err != nil {
				t.Fatal(err)
			}
			want := idsOf(nostrtest.OracleJSON(all, []byte(`{}`)))
			for _, r := range []*relay{a, b} {
				got, err := dial(t, r.url).query("q", `{"kinds":[1]}`)
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("%s has %d events, want %d (%v)", strings.TrimPrefix(r.url, "ws://"), len(got), len(want), err)
				}
			}
		})
	}
}
