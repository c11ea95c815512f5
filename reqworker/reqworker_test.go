package reqworker

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"sort"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Workers come and go, the store is away or busy, parts are lost, credit dribbles,
// events are committed meanwhile: every query's parts together are the whole
// answer of the oracle at the query's Seq, for the query's keys, within the credit,
// and its hint is true; every count is that of the oracle.
func TestEveryQueryIsAnsweredWhole(t *testing.T) {
	events := nostrtest.Events(t)
	for range 3 {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) {
			t.Logf("seed %d", seed)
			r := rand.New(rand.NewPCG(seed, 0))
			shuffled := slices.Clone(events)
			r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			store := newNaiveStore(shuffled, len(shuffled)/2)
			gen := nostrtest.NewFilterGen(seed, events)
			m := bus.NewMemory()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var running sync.WaitGroup
			w := newFakeWriter(t, m, store, rand.New(rand.NewPCG(seed, 1)))
			running.Go(func() { w.run(ctx) })
			g := newFakeGateway(t, m, rand.New(rand.NewPCG(seed, 2)))
			running.Go(func() { g.run(ctx) })
			running.Go(func() { g.roster.Run(ctx) })
			cfg := DefaultConfig()
			workers := []*runningWorker{startWorker(t, m, cfg)}
			time.Sleep(time.Second)

			for i := range uint32(150) {
				f := gen.Filters()
				g.in(func() {
					q := &req{conn: subject.MakeConnID(g.bus.Instance, i%40), filters: filtersJSON(f), keys: someKeys(r, events), count: r.IntN(4) == 0}
					g.reqs = append(g.reqs, q)
					g.send(q)
				})
				switch r.IntN(25) {
				case 0:
					if len(workers) < 3 {
						workers = append(workers, startWorker(t, m, cfg))
					}
				case 1:
					if n := len(workers); n > 0 {
						old := workers[n-1]
						workers = workers[:n-1]
						old.cancel()
						running.Go(func() { <-old.done })
					}
				case 2, 3, 4:
					g.in(func() {
						if q := g.reqs[r.IntN(len(g.reqs))]; q.running() {
							g.stop(q)
						}
					})
				}
				time.Sleep(time.Duration(r.IntN(200)) * time.Millisecond)
			}
			if len(workers) == 0 {
				workers = append(workers, startWorker(t, m, cfg))
			}
			time.Sleep(time.Minute)
			g.in(func() { g.lossy = false })
			w.lossy.Store(false)
			time.Sleep(2 * time.Minute)

			if n := workers[0].env.Metrics.Snapshot()["running"]; n != 0 {
				t.Errorf("%v queries are still running", n)
			}
			for _, worker := range workers {
				worker.stop()
			}
			cancel()
			running.Wait()
			received, counts, refused := 0, 0, 0
			for i, q := range g.reqs {
				if q.stopped {
					continue
				}
				if why := refusal(t, q); why != "" {
					if refused++; q.closed != why {
						t.Errorf("query %d (%s): closed %q, want %q", i, q.filters, q.closed, why)
					}
					continue
				}
				if !q.done || q.closed != "" {
					t.Errorf("query %d (%s): done %v, closed %q", i, q.filters, q.done, q.closed)
					continue
				}
				if q.count {
					checkCount(t, store, q)
					counts++
					continue
				}
				check(t, store, q)
				received += len(q.got)
			}
			t.Logf("%d events, %d counts, %d refusals, %d resumes", received, counts, refused, g.resumes)
			if received < 1000 || counts < 10 || g.resumes < 5 {
				t.Errorf("%d events, %d counts, %d resumes: the test tests little", received, counts, g.resumes)
			}
		})
	}
}

// someKeys returns up to two keys of parties to private events.
func someKeys(r *rand.Rand, events []*nostr.Event) (keys [][]byte) {
	for range r.IntN(3) {
		e := events[r.IntN(len(events))]
		for !slices.Contains(privateKinds, e.Kind) {
			e = events[r.IntN(len(events))]
		}
		keys = append(keys, e.PubKey[:])
		for _, tag := range e.Tags {
			if pk, err := nostr.ParsePubKey(tag[min(1, len(tag)-1)]); tag[0] == "p" && err == nil {
				keys[len(keys)-1] = pk[:]
			}
		}
	}
	return keys
}

// refusal is what a query that asks for nothing but others' private events gets.
func refusal(t *testing.T, q *req) string {
	filters, err := nostr.ParseFilters(q.filters, nostr.FilterLimits{})
	if err != nil {
		t.Fatal(err)
	}
	access := nostr.Access{Private: privateKinds, Keys: nostr.ParseKeys(q.keys)}
	if prefix, why := access.Judge(filters); prefix != "" {
		return prefix.Text(why)
	}
	return ""
}

// checkCount compares a count with the oracle as of some Seq: which one, only the
// worker knows, but what matches only ever grows.
func checkCount(t *testing.T, store *naiveStore, q *req) {
	filters, err := nostr.ParseFilters(q.filters, nostr.FilterLimits{})
	if err != nil {
		t.Fatal(err)
	}
	offset := 0
	if len(filters) == 1 {
		offset = filters[0].HLLOffset()
	}
	matches := func(asOf int) []*nostr.Event { return store.answer(unlimited(q.filters), asOf, q.keys) }
	grown := sort.Search(store.head-store.first, func(n int) bool { return len(matches(store.first+n)) >= int(q.counted.Count) })
	want := matches(store.first + grown)
	var hll []byte
	if offset != 0 {
		hll = registers(want, offset)
	}
	if int(q.counted.Count) != len(want) || !bytes.Equal(q.counted.Hll, hll) {
		t.Errorf("count %s: got %d, which it never was, or other registers", q.filters, q.counted.Count)
	}
}

// check compares what a query got with the oracle, whose limits are the relay's.
func check(t *testing.T, store *naiveStore, q *req) {
	filters, err := nostr.ParseFilters(q.filters, nostr.FilterLimits{})
	if err != nil {
		t.Fatal(err)
	}
	blind := false
	for i := range filters {
		f := &filters[i]
		if f.Limit == nostr.NoLimit {
			f.Limit = limits.Default().DefaultLimit
		}
		blind = blind || f.Limit == 0 && !f.Impossible()
	}
	want := store.answer(filtersJSON(filters), int(q.asOf), q.keys)
	hint := relaypb.Completeness_FINISH
	switch {
	case blind:
		hint = relaypb.Completeness_UNKNOWN
	case len(want) < len(store.answer(unlimited(q.filters), int(q.asOf), q.keys)):
		hint = relaypb.Completeness_MORE
	}
	if q.hint != hint {
		t.Errorf("query %s: hint %v, want %v", q.filters, q.hint, hint)
	}
	same := len(want) == len(q.got)
	for i := 0; same && i < len(want); i++ {
		same = string(store.json[want[i].ID]) == string(q.got[i])
	}
	if !same {
		t.Errorf("query %s as of %d: got %d events, want %d, or others", q.filters, q.asOf, len(q.got), len(want))
	}
}

func filtersJSON(filters []nostr.Filter) (text []byte) {
	for i := range filters {
		if i > 0 {
			text = append(text, ',')
		}
		text = filters[i].AppendJSON(text)
	}
	return text
}

// A short query is answered while a long one has done a few slices, whichever came
// first.
func TestShortQueriesDoNotWaitForLongOnes(t *testing.T) {
	store := newNaiveStore(nostrtest.Events(t), 2000)
	c := newCore(7, DefaultConfig(), limits.Default(), policy.Default(), func(subject.ConnID) subject.Shard { return 0 }, newTranscript().m)
	c.cfg.Concurrency = 2
	now := time.Unix(0, 0)
	begin := func(num uint64, filters string) {
		c.handle(now, &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Query{Query: &relaypb.Query{
			Conn: 1 << 32, Num: num, Filters: []byte(filters), Granted: 1 << 40,
		}}})
	}
	const long, short = 10, 20
	for num := range uint64(long) {
		begin(num, `{"limit":2000}`)
	}
	slices, finished := make(map[uint64]int), make(map[uint64]int)
	var under []ask
	total := 0
	for round := 0; len(finished) < long+short; round++ {
		if round == 30 {
			for num := range uint64(short) {
				begin(long+num, `{"limit":1}`)
			}
		}
		under = append(under, c.flush().asks...)
		a := under[0]
		under = under[1:]
		reply, err := store.Scan(t.Context(), a.scan)
		total++
		slices[a.query.num]++
		if reply.Done {
			finished[a.query.num] = total
		}
		c.read(now, a.query, reply, err)
	}
	for num := uint64(long); num < long+short; num++ {
		// It waits for one slice of each of the others, and for what was under way.
		if waited := finished[num] - 30; waited > long+short+2 {
			t.Errorf("a query of one slice waited for %d slices of others", waited)
		}
	}
	if slices[0] < 10 {
		t.Errorf("the long queries took %d slices: they were short", slices[0])
	}
}

// Bytes from anybody are counted and hurt nobody.
func TestGarbage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		m := bus.NewMemory()
		worker := startWorker(t, m, DefaultConfig())
		b := m.Join(newSpace(t), quiet)
		time.Sleep(time.Second)
		for range 200 {
			conn := subject.MakeConnID(subject.Instance(r.Uint32()), r.Uint32())
			subj := b.Space.Req(b.Space.ShardOf(conn))
			filters := []string{"", "{", `{"kinds":1}`, "{}", `{"ids":[]}`, "[]"}[r.IntN(6)]
			for _, msg := range []*relaypb.ReqInbox{
				{}, {Body: &relaypb.ReqInbox_Query{}}, {Body: &relaypb.ReqInbox_Credit{}}, {Body: &relaypb.ReqInbox_Stop{}},
				{Body: &relaypb.ReqInbox_Query{Query: &relaypb.Query{Conn: uint64(conn), Num: r.Uint64N(50), Granted: r.Uint64(), AsOf: r.Uint64(), Cursor: []byte("x"), Filters: []byte(filters), Count: r.IntN(2) == 0, Keys: [][]byte{make([]byte, r.IntN(64)), nil}}}},
				{Body: &relaypb.ReqInbox_Credit{Credit: &relaypb.Credit{Conn: uint64(conn), Num: r.Uint64N(50), Granted: r.Uint64(), Worker: r.Uint32()}}},
			} {
				b.Publish(subj, msg)
			}
			b.Publish(subj, &relaypb.Member{Stage: "monitor", Instance: r.Uint32(), Shards: 4})
		}
		time.Sleep(10 * time.Second)
		stats := worker.env.Metrics.Snapshot()
		if stats["garbage"] == 0 || worker.env.Bus.Garbage() == 0 {
			t.Error("nothing was counted as garbage")
		}
		if stats["running"] != 0 {
			t.Errorf("%v queries are left of gateways that do not exist", stats["running"])
		}
		worker.stop()
	})
}
