package negentropy

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/nostr"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

var quiet = slog.New(slog.DiscardHandler)

func newSpace(t testing.TB) subject.Space {
	s, err := subject.New("test", 4)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// someKeys are the authors and recipients of the tests' events.
var someKeys = []nostr.PubKey{{1}, {2}, {3}, {4}}

// randomHeader makes an event of the last 1000 seconds: notes, messages to others
// (private), statuses, ephemeral ones; some expire within the next minute.
func randomHeader(rng *rand.Rand, now int64) nostr.Header {
	x := randomItem(rng, 1000)
	e := &nostr.Event{ID: x.ID, CreatedAt: now - x.CreatedAt, Kind: []nostr.Kind{1, 1, 7, 4, 1059, 20001}[rng.IntN(6)]}
	e.PubKey = someKeys[rng.IntN(len(someKeys))]
	if rng.IntN(2) == 0 {
		e.Tags = append(e.Tags, nostr.Tag{"p", someKeys[rng.IntN(len(someKeys))].String()})
	}
	if rng.IntN(6) == 0 {
		e.Tags = append(e.Tags, nostr.Tag{"expiration", strconv.FormatInt(now+1+rng.Int64N(60), 10)})
	}
	return nostr.AppendHeader(nil, e)
}

// fakeStore is the writer's part of the contract, told plainly.
type fakeStore struct {
	mu      sync.Mutex
	rng     *rand.Rand // of the test
	slices  *rand.Rand // of scan
	id      uint64
	entries []*relaypb.Entry // of Seq 1, 2, 3 …
	live    map[uint64]nostr.Header
	hidden  map[uint64]bool // of live
	most    int             // ids in a slice
	scans   int
}

func newFakeStore(rng *rand.Rand) *fakeStore {
	return &fakeStore{rng: rng, slices: rand.New(rand.NewPCG(rng.Uint64(), 2)), id: 1, live: make(map[uint64]nostr.Header), most: 97}
}

// commit stores an event and removes some others.
func (s *fakeStore) commit(h nostr.Header, removed ...uint64) *relaypb.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := &relaypb.Entry{Seq: uint64(len(s.entries) + 1), Header: h}
	for _, seq := range removed {
		if old := s.live[seq]; old != nil {
			id := old.ID()
			e.Removed = append(e.Removed, &relaypb.Removed{Seq: seq, Id: id[:], CreatedAt: old.CreatedAt()})
			delete(s.live, seq)
		}
	}
	if len(h) > 0 && !h.Kind().IsEphemeral() {
		s.live[e.Seq] = h
	}
	s.entries = append(s.entries, e)
	return e
}

// visible returns what a filter finds for a reader, newest first.
func (s *fakeStore) visible(filters []nostr.Filter, keys []nostr.PubKey, now int64, asOf uint64) []item {
	access := policyOfTests().Access(keys)
	var found []item
	for seq, h := range s.live {
		if seq <= asOf && !s.hidden[seq] && access.Allows(h) && !h.Expired(now) && nostr.MatchAny(filters, h) {
			found = append(found, item{CreatedAt: h.CreatedAt(), ID: h.ID()})
		}
	}
	slices.SortFunc(found, newestFirst)
	return found
}

func newestFirst(a, b item) int {
	if a.CreatedAt != b.CreatedAt {
		return int(b.CreatedAt - a.CreatedAt)
	}
	return a.ID.Compare(b.ID)
}

// oracle is the set of a session, as of now.
func (s *fakeStore) oracle(filter string, keys []nostr.PubKey) []item {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := nostr.ParseFilter([]byte(filter), nostr.FilterLimits{})
	if err != nil {
		panic(err)
	}
	found := s.visible([]nostr.Filter{f}, keys, time.Now().Unix(), uint64(len(s.entries)))
	if f.Limit != nostr.NoLimit {
		found = found[:min(f.Limit, len(found))]
	}
	return found
}

// scan serves a slice of ids; the cursor is the last item of the one before.
func (s *fakeStore) scan(m *relaypb.Scan) *relaypb.ScanReply {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scans++
	filters, err := nostr.ParseFilters(m.Filters, nostr.FilterLimits{})
	if err != nil || m.Want != relaypb.Want_IDS {
		return &relaypb.ScanReply{Error: "invalid: bad scan"}
	}
	r := &relaypb.ScanReply{AsOf: m.AsOf, Hiding: len(s.hidden) > 0}
	if len(m.Cursor) == 0 {
		r.AsOf = uint64(len(s.entries))
	}
	found := s.visible(filters, nostr.ParseKeys(m.Keys), time.Now().Unix(), r.AsOf)
	if len(m.Cursor) > 0 {
		last := item{CreatedAt: int64(binary.BigEndian.Uint64(m.Cursor)), ID: nostr.EventID(m.Cursor[8:])}
		found = found[firstAfter(found, last):]
	}
	n := min(len(found), 1+s.slices.IntN(s.most), max(1, int(m.MaxBytes)/itemBytes))
	for i, x := range found[:n] {
		r.Ids = append(binary.BigEndian.AppendUint64(r.Ids, uint64(x.CreatedAt)), x.ID[:]...)
		if at := s.expiration(x); at != 0 {
			r.Expiring = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(r.Expiring, uint32(i)), uint64(at))
		}
	}
	if r.Done = n == len(found); !r.Done {
		r.Cursor = bytes.Clone(r.Ids[len(r.Ids)-itemBytes:])
	}
	return r
}

func firstAfter(found []item, last item) int {
	for i, x := range found {
		if newestFirst(x, last) > 0 {
			return i
		}
	}
	return len(found)
}

func (s *fakeStore) expiration(x item) int64 {
	for _, h := range s.live {
		if h.ID() == x.ID {
			return h.Expiration()
		}
	}
	return 0
}

// log serves a range: of events that have left, only that they did.
func (s *fakeStore) log(from uint64) *relaypb.LogInbox {
	s.mu.Lock()
	defer s.mu.Unlock()
	head := uint64(len(s.entries))
	e := &relaypb.Entries{Store: s.id, From: min(from, head+1), Head: head}
	for e.Next = e.From; e.Next <= head && len(e.Entries) < 50; e.Next++ {
		entry := s.entries[e.Next-1]
		if s.live[entry.Seq] == nil {
			entry = &relaypb.Entry{Seq: entry.Seq, Removed: entry.Removed}
		}
		if len(entry.Header)+len(entry.Removed) > 0 {
			e.Entries = append(e.Entries, entry)
		}
	}
	return &relaypb.LogInbox{Body: &relaypb.LogInbox_Entries{Entries: e}}
}

// fakeWriter serves a fakeStore on the bus, and loses some of what it publishes.
type fakeWriter struct {
	bus   *bus.Bus
	store *fakeStore
	rng   *rand.Rand
	lossy atomic.Bool // scans are refused or not answered, now and then
}

func startWriter(ctx context.Context, t *testing.T, m *bus.Memory, store *fakeStore, running *sync.WaitGroup) *fakeWriter {
	w := &fakeWriter{bus: m.Join(newSpace(t), quiet), store: store, rng: rand.New(rand.NewPCG(store.rng.Uint64(), 1))}
	w.lossy.Store(true)
	roster := bus.NewRoster(w.bus, subject.Writer, "", func(m *relaypb.Member) {
		store.mu.Lock()
		m.Seq, m.Store = uint64(len(store.entries)), store.id
		store.mu.Unlock()
	})
	scans := bus.Listen(w.bus, func() *relaypb.ScanInbox { return new(relaypb.ScanInbox) }, 0)
	fetches := bus.Listen(w.bus, func() *relaypb.LogFetch { return new(relaypb.LogFetch) }, 0)
	scans.Add(w.bus.Space.Scan())
	fetches.Add(w.bus.Space.LogFetch())
	running.Go(func() { roster.Run(ctx) })
	running.Go(func() {
		defer scans.Close()
		defer fetches.Close()
		for {
			select {
			case <-ctx.Done():
				return
			case msg := <-scans.C():
				scans.Each(msg, func(in *relaypb.ScanInbox) {
					reply := store.scan(in.GetScan())
					switch n := w.rng.IntN(20); {
					case n == 0 && w.lossy.Load():
						return
					case n == 1 && w.lossy.Load():
						reply = &relaypb.ScanReply{Error: "error: busy"}
					}
					w.bus.Reply(msg, reply)
				})
			case msg := <-fetches.C():
				fetches.Each(msg, func(f *relaypb.LogFetch) { w.bus.Reply(msg, store.log(f.From)) })
			}
		}
	})
	return w
}

// commit stores an event and publishes it, usually.
func (w *fakeWriter) commit(h nostr.Header, removed ...uint64) {
	e := w.store.commit(h, removed...)
	if w.store.rng.IntN(4) == 0 {
		return
	}
	w.bus.Publish(w.bus.Space.Log(), &relaypb.LogInbox{Body: &relaypb.LogInbox_Entries{Entries: &relaypb.Entries{
		Store: w.store.id, From: e.Seq, Next: e.Seq + 1, Head: e.Seq, Entries: []*relaypb.Entry{e}}}})
}

// churn commits n random events and removals.
func (w *fakeWriter) churn(n int) {
	for range n {
		var removed []uint64
		for range w.store.rng.IntN(3) {
			removed = append(removed, 1+w.store.rng.Uint64N(uint64(len(w.store.entries)+1)))
		}
		h := randomHeader(w.store.rng, time.Now().Unix())
		if w.store.rng.IntN(4) == 0 {
			h = nil
		}
		w.commit(h, removed...)
	}
}

func policyOfTests() *policy.Policy {
	p := policy.Default()
	return &p
}

// runningStage is the whole stage, in this process.
type runningStage struct {
	env     stage.Env
	metrics *stage.Metrics
	cancel  context.CancelFunc
	done    chan struct{}
}

func startStage(t *testing.T, m *bus.Memory, cfg Config) *runningStage {
	ctx, cancel := context.WithCancel(context.Background())
	r := &runningStage{cancel: cancel, done: make(chan struct{}), metrics: stage.NewMetrics("negentropy")}
	r.env = stage.Env{Bus: m.Join(newSpace(t), quiet), Log: quiet, Metrics: r.metrics, Limits: limits.Default(), Policy: *policyOfTests(), Version: "test"}
	go func() {
		defer close(r.done)
		if err := Run(ctx, cfg, r.env); err != nil {
			t.Error(err)
		}
	}()
	return r
}

func (r *runningStage) stop() {
	r.cancel()
	<-r.done
}

func (r *runningStage) stat(name string) int { return int(r.metrics.Snapshot()[name]) }
