package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"rhea/proto/limits"
	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
)

// kept returns which of events, sent in order, are accepted, and a relay that has
// them. Protected events are those of their authors when an operator imports them.
func kept(events []*nostr.Event, imported bool) (accepted []*nostr.Event, in *nostrtest.Relay) {
	in = &nostrtest.Relay{Private: []nostr.Kind{4, 1059, 21059}}
	for _, e := range events {
		var keys []nostr.PubKey
		if imported {
			keys = []nostr.PubKey{e.PubKey}
		}
		if in.Event(e, keys, time.Now().Unix()).Accepted {
			accepted = append(accepted, e)
		}
	}
	return accepted, in
}

// raws returns filters as the oracle takes them.
func raws(group []string) (list [][]byte) {
	for _, f := range group {
		list = append(list, []byte(f))
	}
	return list
}

// groups returns n random groups of filters made of the events' own values.
func groups(seed uint64, events []*nostr.Event, n int) [][]string {
	gen := nostrtest.NewFilterGen(seed, events)
	out := make([][]string, n)
	for i := range out {
		for _, f := range gen.Filters() {
			out[i] = append(out[i], string(f.AppendJSON(nil)))
		}
	}
	return out
}

func parse(t *testing.T, group []string) []nostr.Filter {
	t.Helper()
	filters, err := nostr.ParseFilters([]byte(strings.Join(group, ",")), nostr.FilterLimits{})
	if err != nil {
		t.Fatalf("%v: %v", group, err)
	}
	return filters
}

// The real events, imported, come back from a thousand random queries as the
// oracle says, in its order, and once more after a restart.
func TestRealEventsStored(t *testing.T) {
	for _, mode := range []string{"up", "solo"} {
		t.Run(mode, func(t *testing.T) {
			seed := rand.Uint64()
			t.Log("seed", seed)
			events := nostrtest.Events(t)
			_, stored := kept(events, true)
			all := groups(seed, events, 1000)
			r := start(t, mode, "", nil)
			out, errs, err := r.rhea(bytes.NewReader(bytes.Join(nostrtest.Lines(t), []byte("\n"))), "import")
			t.Logf("import: %s%s", out, errs)
			if err != nil {
				t.Fatalf("import: %v", err)
			}
			checkStored(t, r, all, stored)
			r.stop()
			checkStored(t, start(t, mode, r.data, nil), all[:200], stored)
		})
	}
}

// The same filters, open as subscriptions on an empty relay while the events are
// published, receive each match once.
func TestRealEventsLive(t *testing.T) {
	for _, mode := range []string{"up", "solo"} {
		t.Run(mode, func(t *testing.T) {
			seed := rand.Uint64()
			t.Log("seed", seed)
			events := nostrtest.Events(t)
			accepted, in := kept(events, false)
			all := slices.DeleteFunc(groups(seed, events, 1000), func(group []string) bool { return in.Refuses(nil, raws(group)...) != "" })
			public := slices.DeleteFunc(slices.Clone(accepted), func(e *nostr.Event) bool { return !in.Visible(e, nil, time.Now().Unix()) })
			// A hundred subscriptions of one client can match one event: that client
			// is no slow one only because it is allowed a large buffer.
			r := start(t, mode, "", nil, "RHEA_GATEWAY_MAX_OUTBOUND=1GiB")
			live := openAll(t, r, all)
			publishInOrder(t, dial(t, r.url), events, accepted)
			received := 0
			for i, s := range live {
				checkLive(t, s, all[i], public)
				received += len(s.all())
			}
			t.Logf("%d subscriptions received %d events", len(live), received)
		})
	}
}

// publishInOrder publishes on one connection, with some events unanswered at any
// time, and checks what becomes of each.
func publishInOrder(t *testing.T, c *client, events, accepted []*nostr.Event) {
	t.Helper()
	isAccepted := map[nostr.EventID]bool{}
	for _, e := range accepted {
		isAccepted[e.ID] = true
	}
	const window = 32
	answers := make([]<-chan ok, len(events))
	await := func(i int) {
		select {
		case o, answered := <-answers[i]:
			if !answered {
				t.Fatalf("the connection ended before event %d was answered: %v", i, c.err)
			}
			if o.accepted != isAccepted[events[i].ID] {
				t.Errorf("event %d, %s: OK %v %q, the oracle says %v", i, events[i].ID, o.accepted, o.text, !o.accepted)
			}
		case <-time.After(patience):
			t.Fatalf("event %d is not answered", i)
		}
	}
	for i, e := range events {
		var err error
		if answers[i], err = c.publishAsync(e.AppendJSON(nil), e.ID.String()); err != nil {
			t.Fatal(err)
		}
		if i >= window {
			await(i - window)
		}
	}
	for i := max(0, len(events)-window); i < len(events); i++ {
		await(i)
	}
}

// liveSub is a subscription and the client it is on.
type liveSub struct {
	*subscription
	c *client
}

// openAll opens a subscription a group, 100 a connection, and waits for EOSE.
func openAll(t *testing.T, r *relay, all [][]string) []liveSub {
	t.Helper()
	var c *client
	subs := make([]liveSub, len(all))
	for i, group := range all {
		if i%100 == 0 {
			c = dial(t, r.url)
		}
		s, err := c.subscribe(fmt.Sprint("live ", i), group...)
		if err != nil {
			t.Fatal(err)
		}
		subs[i] = liveSub{s, c}
	}
	for i, s := range subs {
		if err := s.c.waitEOSE(s.subscription); err != nil {
			t.Fatalf("%v: %v (%v)", all[i], err, s.c.noticed())
		}
	}
	return subs
}

func checkLive(t *testing.T, s liveSub, group []string, accepted []*nostr.Event) {
	t.Helper()
	filters := parse(t, group)
	for i := range filters {
		filters[i].Limit = nostr.NoLimit // means nothing for what is live
	}
	want := nostrtest.Oracle(accepted, filters)
	if err := s.c.wait(s.subscription, func() bool { return len(s.events) >= len(want) }); err != nil {
		t.Errorf("%v: %d events live, want %d: %v (%s)", group, len(s.all()), len(want), err, firstMissing(s.all(), want))
		return
	}
	got := s.all()
	slices.SortFunc(got, nostr.EventID.Compare)
	ids := idsOf(want)
	slices.SortFunc(ids, nostr.EventID.Compare)
	if !slices.Equal(got, ids) {
		t.Errorf("%v: live differs from the oracle: got %d, want %d", group, len(got), len(ids))
	}
}

func checkStored(t *testing.T, r *relay, all [][]string, in *nostrtest.Relay) {
	t.Helper()
	c := dial(t, r.url)
	public := in.Query(nil, time.Now().Unix(), []byte(`{}`))
	found, refused := 0, 0
	for i, group := range all {
		got, err := c.query(fmt.Sprint("q", i), group...)
		if why := in.Refuses(nil, raws(group)...); why != "" {
			refused++
			if err == nil || !strings.HasPrefix(err.Error(), "CLOSED "+why) {
				t.Errorf("%v: %v, want CLOSED %s", group, err, why)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%v: %v", group, err)
		}
		want := idsOf(nostrtest.OracleJSON(public, limited(t, public, group)...))
		found += len(got)
		if !slices.Equal(got, want) {
			t.Errorf("%v: got %d events, want %d\n got %v\nwant %v", group, len(got), len(want), head(got), head(want))
		}
	}
	t.Logf("%d queries returned %d events, %d were refused", len(all), found, refused)
	if found < len(all) {
		t.Errorf("the queries found next to nothing: %d", found)
	}
}

// limited gives filters the relay's limits. One that is the relay's own takes in all
// matches of the second in which it ends, up to twice as many (NIP-67).
func limited(t *testing.T, public []*nostr.Event, group []string) (list [][]byte) {
	lim := limits.Default()
	for _, f := range parse(t, group) {
		n := f.Limit
		if n == nostr.NoLimit {
			n = lim.DefaultLimit
		}
		if n = min(n, lim.MaxLimit); n != f.Limit {
			f.Limit = 2 * n
			found := nostrtest.OracleJSON(public, f.AppendJSON(nil))
			for n < len(found) && found[n].CreatedAt == found[n-1].CreatedAt {
				n++
			}
		}
		f.Limit = n
		list = append(list, f.AppendJSON(nil))
	}
	return list
}

func idsOf(events []*nostr.Event) []nostr.EventID {
	ids := make([]nostr.EventID, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	return ids
}

func head(ids []nostr.EventID) []nostr.EventID { return ids[:min(len(ids), 10)] }

// firstMissing describes the first events that should have come and did not.
func firstMissing(got []nostr.EventID, want []*nostr.Event) string {
	var missing []string
	for _, e := range want {
		if !slices.Contains(got, e.ID) && len(missing) < 40 {
			missing = append(missing, fmt.Sprintf("%s kind %d, %d bytes", e.ID, e.Kind, len(e.AppendJSON(nil))))
		}
	}
	return strings.Join(missing, "; ")
}
