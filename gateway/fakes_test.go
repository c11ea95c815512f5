package gateway

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/bus"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// world is what the stages behind a gateway come down to for its tests: a list of
// events, and three small processes on a memory bus that speak the contract. They
// know kinds and limits, and nothing else of Nostr.
type world struct {
	t      *testing.T
	mem    *bus.Memory
	space  subject.Space
	log    *slog.Logger
	policy policy.Policy // of the gateway; AUTH only when needed
	// goroutines has the gateway wait for its connections as where they cannot be polled.
	goroutines bool

	mu     sync.Mutex
	events []stored
	news   chan struct{} // for the monitors: there is more
}

type stored struct {
	id   string
	kind int
	json []byte
}

func newWorld(t *testing.T) *world {
	space, err := subject.New("test", 4)
	if err != nil {
		t.Fatal(err)
	}
	p := policy.Default()
	p.Auth = policy.AuthNeeded
	return &world{t: t, policy: p, mem: bus.NewMemory(), space: space, log: slog.New(slog.DiscardHandler), news: make(chan struct{}, 1)}
}

// commit stores an event, and says whether it is new.
func (w *world) commit(e stored) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if slices.ContainsFunc(w.events, func(x stored) bool { return x.id == e.id }) {
		return false
	}
	w.events = append(w.events, e)
	select {
	case w.news <- struct{}{}:
	default:
	}
	return true
}

func (w *world) since(seq int) []stored {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events[min(seq, len(w.events)):]
}

func (w *world) head() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.events)
}

type testFilter struct {
	Kinds []int
	Limit *int
}

// parseFilters reads "{…},{…}".
func parseFilters(raw []byte) (list []testFilter, err error) {
	return list, json.Unmarshal([]byte("["+string(raw)+"]"), &list)
}

func wants(list []testFilter, e stored) bool {
	return slices.ContainsFunc(list, func(f testFilter) bool { return f.Kinds == nil || slices.Contains(f.Kinds, e.kind) })
}

// runFake runs one process until the test ends or the returned function is called.
func runFake[M proto.Message](w *world, st subject.Stage, of func(subject.Shard) string, newM func() M,
	handler func(b *bus.Bus, out *bus.Outbox) func(M)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	b := w.mem.Join(w.space, w.log)
	r := bus.NewRoster(b, st, "test", nil)
	var done sync.WaitGroup
	done.Go(func() {
		err := r.While(ctx, func(ctx context.Context) error {
			inbox := bus.Listen(b, newM, 0)
			defer inbox.Close()
			out := b.NewOutbox()
			handle := handler(b, out)
			owns := bus.NewOwnership(b, r, st, inbox, of)
			changes := r.Changes()
			select {
			case <-r.Settled():
			case <-ctx.Done():
				return nil
			}
			beat := time.NewTicker(20 * time.Millisecond)
			defer beat.Stop()
			for {
				select {
				case <-ctx.Done():
					return nil
				case <-changes:
					if _, _, err := owns.Reconcile(); err != nil {
						return err
					}
				case m := <-inbox.C():
					inbox.Each(m, handle)
				case <-w.news:
					var none M
					handle(none)
				case <-beat.C:
					var none M
					handle(none)
				}
				_ = out.Flush()
			}
		})
		if err != nil {
			w.t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); done.Wait() })
	w.t.Cleanup(stop)
	return stop
}

// startIngester runs an ingester and writer in one: it refuses what has no id, and
// believes an AUTH whose content is the challenge.
func (w *world) startIngester() (stop func()) {
	return runFake(w, subject.Ingester, w.space.Ingest, func() *relaypb.IngestInbox { return new(relaypb.IngestInbox) },
		func(b *bus.Bus, out *bus.Outbox) func(*relaypb.IngestInbox) {
			return func(m *relaypb.IngestInbox) {
				if a := m.GetAuth(); a != nil {
					_ = out.Send(w.space.Out(subject.ConnID(a.Conn).Gateway()), &relaypb.OutInbox{Body: &relaypb.OutInbox_Verdict{Verdict: authVerdict(a)}})
					return
				}
				f := m.GetEvent()
				if f == nil {
					return
				}
				v := &relaypb.Verdict{Num: f.Num, Outcome: relaypb.Outcome_INVALID, Text: "invalid: not an event"}
				var e struct {
					ID   string
					Kind int
				}
				if json.Unmarshal(f.Event, &e) == nil && len(e.ID) == 64 {
					v.Id, _ = hex.DecodeString(e.ID)
					v.Outcome, v.Text = relaypb.Outcome_NEW, ""
					if !w.commit(stored{e.ID, e.Kind, f.Event}) {
						v.Outcome, v.Text = relaypb.Outcome_DUPLICATE, "duplicate: have it"
					}
				}
				_ = out.Send(w.space.Out(subject.ConnID(f.Conn).Gateway()), &relaypb.OutInbox{Body: &relaypb.OutInbox_Verdict{Verdict: v}})
			}
		})
}

func authVerdict(a *relaypb.AuthFrame) *relaypb.Verdict {
	v := &relaypb.Verdict{Num: a.Num, Outcome: relaypb.Outcome_INVALID, Text: "invalid: challenge or host"}
	var e struct{ ID, PubKey, Content string }
	if json.Unmarshal(a.Event, &e) != nil {
		return v
	}
	v.Id, _ = hex.DecodeString(e.ID)
	if e.Content == a.Challenge+"@"+a.Host {
		v.Outcome, v.Text = relaypb.Outcome_AUTHENTICATED, ""
		v.Key, _ = hex.DecodeString(e.PubKey)
	}
	return v
}

// privateKind is the kind of events that the fakes serve to those with a key only.
const privateKind = 4

func visible(e stored, keys [][]byte) bool { return e.kind != privateKind || len(keys) > 0 }

type fakeQuery struct {
	conn    subject.ConnID
	num     uint64
	filters []testFilter
	keys    [][]byte
	granted int
	sent    int
	index   uint32
	asOf    int
	at      int // events from here down are still to be sent
	left    int // of the limit
}

// startReqworker runs a reqworker that sends one event a part, and honours credit.
func (w *world) startReqworker() (stop func()) {
	return runFake(w, subject.Reqworker, w.space.Req, func() *relaypb.ReqInbox { return new(relaypb.ReqInbox) },
		func(b *bus.Bus, out *bus.Outbox) func(*relaypb.ReqInbox) {
			queries := make(map[uint64]*fakeQuery)
			return func(m *relaypb.ReqInbox) {
				switch b := m.GetBody().(type) {
				case *relaypb.ReqInbox_Query:
					w.query(queries, b.Query, out)
				case *relaypb.ReqInbox_Credit:
					if q := queries[b.Credit.Num]; q != nil {
						q.granted = int(b.Credit.Granted)
					}
				case *relaypb.ReqInbox_Stop:
					delete(queries, b.Stop.Num)
				}
				for num, q := range queries {
					if w.advance(q, uint32(b.Instance), out) {
						delete(queries, num)
					}
				}
			}
		})
}

func (w *world) query(queries map[uint64]*fakeQuery, m *relaypb.Query, out *bus.Outbox) {
	filters, err := parseFilters(m.Filters)
	if err != nil {
		_ = out.Send(w.space.Out(subject.ConnID(m.Conn).Gateway()), &relaypb.OutInbox{Body: &relaypb.OutInbox_Closed{
			Closed: &relaypb.Closed{Num: m.Num, Worker: 1, Text: "invalid: not a filter"},
		}})
		return
	}
	q := &fakeQuery{conn: subject.ConnID(m.Conn), num: m.Num, filters: filters, keys: m.Keys, granted: int(m.Granted), asOf: w.head(), left: 1 << 30}
	q.at = q.asOf
	for _, f := range filters {
		if f.Limit != nil {
			q.left = *f.Limit
		}
	}
	if len(m.Cursor) > 0 {
		q.asOf = int(m.AsOf)
		q.at, _ = strconv.Atoi(string(m.Cursor))
	}
	if m.Count {
		n := uint64(0)
		for _, e := range w.since(0) {
			if wants(filters, e) && visible(e, m.Keys) {
				n++
			}
		}
		_ = out.Send(w.space.Out(q.conn.Gateway()), &relaypb.OutInbox{Body: &relaypb.OutInbox_Counted{Counted: &relaypb.Counted{Num: m.Num, Worker: 1, Count: n}}})
		return
	}
	queries[q.num] = q
}

func (w *world) advance(q *fakeQuery, worker uint32, out *bus.Outbox) (done bool) {
	events := w.since(0)[:q.asOf]
	for {
		p := &relaypb.Part{Num: q.num, Worker: worker, Index: q.index, AsOf: uint64(q.asOf)}
		for q.at > 0 && !(wants(q.filters, events[q.at-1]) && visible(events[q.at-1], q.keys)) {
			q.at--
		}
		done = q.at == 0 || q.left == 0
		if !done {
			if q.sent >= q.granted {
				return false
			}
			q.at--
			q.left--
			p.Events = [][]byte{events[q.at].json}
			q.sent += len(events[q.at].json)
		}
		p.Cursor, p.Eose = []byte(strconv.Itoa(q.at)), done
		q.index++
		_ = out.Send(w.space.Out(q.conn.Gateway()), &relaypb.OutInbox{Body: &relaypb.OutInbox_Part{Part: p}})
		if done {
			return true
		}
	}
}

type fakeWatch struct {
	conn    subject.ConnID
	filters []testFilter
	keys    [][]byte
	after   int
}

// owe adds a recipient of an event to deliveries in the order of their Seqs.
func owe(list []*relaypb.Delivery, seq uint64, json []byte, num uint64) []*relaypb.Delivery {
	at, found := slices.BinarySearchFunc(list, seq, func(d *relaypb.Delivery, seq uint64) int { return cmp.Compare(d.Seq, seq) })
	if !found {
		list = slices.Insert(list, at, &relaypb.Delivery{Seq: seq, Json: json})
	}
	list[at].Nums = append(list[at].Nums, num)
	return list
}

// piecemeal puts each event into Deliveries of its own, for all of them may be more
// than a bus message holds. The last says how far they go.
func piecemeal(d *relaypb.Deliveries) (list []*relaypb.Deliveries) {
	now := uint64(time.Now().UnixNano())
	for ; len(d.Events) > 1; d.Events = d.Events[1:] {
		list = append(list, &relaypb.Deliveries{Monitor: d.Monitor, Events: d.Events[:1], Committed: now})
	}
	if len(d.Events) > 0 {
		d.Committed = now
	}
	return append(list, d)
}

// startMonitor runs a monitor that numbers what it sends to each gateway.
func (w *world) startMonitor() (stop func()) {
	return runFake(w, subject.Monitor, w.space.Sub, func() *relaypb.SubInbox { return new(relaypb.SubInbox) },
		func(b *bus.Bus, out *bus.Outbox) func(*relaypb.SubInbox) {
			watches := make(map[uint64]*fakeWatch)
			numbers := make(map[subject.Instance]uint64)
			return func(m *relaypb.SubInbox) {
				var confirmed []uint64
				switch b := m.GetBody().(type) {
				case *relaypb.SubInbox_Watch:
					filters, _ := parseFilters(b.Watch.Filters) // the reqworker has read them
					if watches[b.Watch.Num] == nil {
						watches[b.Watch.Num] = &fakeWatch{subject.ConnID(b.Watch.Conn), filters, b.Watch.Keys, int(b.Watch.After)}
					}
					confirmed = []uint64{b.Watch.Num}
				case *relaypb.SubInbox_Unwatch:
					id := subject.ConnID(b.Unwatch.Conn)
					maps.DeleteFunc(watches, func(num uint64, v *fakeWatch) bool {
						return num == b.Unwatch.Num && v.conn.Gateway() == id.Gateway() ||
							b.Unwatch.Below && num < b.Unwatch.Num && v.conn.Gateway() == id.Gateway() && w.space.ShardOf(v.conn) == w.space.ShardOf(id)
					})
				}
				head := w.head()
				out2 := make(map[subject.Instance]*relaypb.Deliveries)
				for num, v := range watches {
					d := out2[v.conn.Gateway()]
					if d == nil {
						d = &relaypb.Deliveries{Monitor: uint32(b.Instance), Upto: uint64(head)}
						out2[v.conn.Gateway()] = d
					}
					for i, e := range w.since(v.after)[:max(0, head-v.after)] {
						if wants(v.filters, e) && visible(e, v.keys) {
							d.Events = owe(d.Events, uint64(v.after+i+1), e.json, num)
						}
					}
					v.after = head
					if slices.Contains(confirmed, num) {
						d.Watching = append(d.Watching, num)
					}
				}
				for gw, d := range out2 {
					if len(d.Events)+len(d.Watching) == 0 {
						continue
					}
					for _, one := range piecemeal(d) {
						numbers[gw]++
						one.Number = numbers[gw]
						_ = out.Send(w.space.Out(gw), &relaypb.OutInbox{Body: &relaypb.OutInbox_Deliveries{Deliveries: one}})
					}
				}
			}
		})
}
