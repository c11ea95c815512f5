package writer

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/writer/store"
)

// How many bus messages wait for the desk, and how many fetches of the log for
// their reader: a few for every monitor and negentropy process of a large relay.
const (
	deskInbox  = 1024
	fetchQueue = 64
)

// readers serves requests: the desk, a goroutine that takes them in, and those
// that read the store.
type readers struct {
	bus      *bus.Bus
	log      *slog.Logger
	metrics  *metrics
	store    *store.Store
	troubles seldom
	rules    atomic.Pointer[rules]
	now      func() time.Time // that expiration is judged by

	scanInbox  *bus.Inbox[*relaypb.ScanInbox]
	fetchInbox *bus.Inbox[*relaypb.LogFetch]
	scans      chan request[*relaypb.Scan]
	fetches    chan request[*relaypb.LogFetch]

	stopping context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

// rules are what readers go by; they may change between two slices of a query.
type rules struct {
	policy  policy.Policy
	private uint64 // fingerprint of its private kinds
	slice   time.Duration
}

func (r *readers) setRules(p policy.Policy, slice time.Duration) {
	r.rules.Store(&rules{policy: p, private: p.PrivateKinds.Fingerprint(), slice: slice})
}

// request is a message to answer and what it asks.
type request[M any] struct {
	msg *bus.Message
	ask M
}

// startReaders listens on scan and log.fetch until stop is called.
func startReaders(env stage.Env, cfg Config, st *store.Store, m *metrics) (*readers, error) {
	r := &readers{
		bus: env.Bus, log: env.Log, metrics: m, store: st, now: env.Now,
		scanInbox:  bus.Listen(env.Bus, func() *relaypb.ScanInbox { return new(relaypb.ScanInbox) }, deskInbox),
		fetchInbox: bus.Listen(env.Bus, func() *relaypb.LogFetch { return new(relaypb.LogFetch) }, deskInbox),
		scans:      make(chan request[*relaypb.Scan], cfg.ScanQueue),
		fetches:    make(chan request[*relaypb.LogFetch], fetchQueue),
	}
	r.scanInbox.MeasureHops(env.Metrics.Hop("scan"))
	r.fetchInbox.MeasureHops(env.Metrics.Hop("log.fetch"))
	r.setRules(env.Policy, cfg.ScanSlice)
	err := errors.Join(r.scanInbox.Add(env.Bus.Space.Scan()), r.fetchInbox.Add(env.Bus.Space.LogFetch()))
	if err != nil {
		r.scanInbox.Close()
		r.fetchInbox.Close()
		return nil, err
	}
	env.Metrics.GaugeFunc("scans_waiting", "Slices that wait for a reader.", func() float64 { return float64(len(r.scans)) })
	env.Metrics.GaugeFunc("log_fetches_waiting", "Fetches of the log that wait for their reader.", func() float64 { return float64(len(r.fetches)) })
	r.stopping, r.cancel = context.WithCancel(context.Background())
	r.running.Go(r.desk)
	for range cfg.scanWorkers() {
		r.running.Go(func() { newScanner(r).run() })
	}
	r.running.Go(r.serveFetches)
	return r, nil
}

// stop refuses what waits, so that who asked need not wait for a time-out, and
// returns when no reader holds the store any more.
func (r *readers) stop() {
	r.cancel()
	r.running.Wait()
}

// desk takes requests in and queues them, or refuses them at once.
func (r *readers) desk() {
	defer close(r.scans)
	defer close(r.fetches)
	for stopping := r.stopping.Done(); ; {
		select {
		case <-stopping:
			stopping = nil
			r.scanInbox.Close()
			r.fetchInbox.Close()
		case msg := <-r.scanInbox.C():
			r.scanInbox.Each(msg, func(m *relaypb.ScanInbox) { r.queueScan(msg, m) })
		case msg := <-r.fetchInbox.C():
			r.fetchInbox.Each(msg, func(m *relaypb.LogFetch) { r.queueFetch(msg, m) })
		}
		if stopping == nil && r.scanInbox.Waiting() == 0 && r.fetchInbox.Waiting() == 0 {
			return
		}
	}
}

func (r *readers) queueScan(msg *bus.Message, m *relaypb.ScanInbox) {
	ask := m.GetScan()
	if ask == nil {
		r.metrics.unknown.Inc()
		r.reply(msg, &relaypb.ScanReply{Error: nostr.Unsupported.Text("this writer does not know the request")})
		return
	}
	select {
	case r.scans <- request[*relaypb.Scan]{msg, ask}:
	default:
		r.metrics.busyScans.Inc()
		r.reply(msg, &relaypb.ScanReply{Error: nostr.Failed.Text("busy")})
	}
}

func (r *readers) queueFetch(msg *bus.Message, ask *relaypb.LogFetch) {
	select {
	case r.fetches <- request[*relaypb.LogFetch]{msg, ask}:
	default:
		r.metrics.busyFetches.Inc()
		r.reply(msg, fetched(&relaypb.Entries{Store: r.store.ID(), Error: nostr.Failed.Text("busy")}))
	}
}

func (r *readers) serveFetches() {
	for q := range r.fetches {
		reply := fetched(&relaypb.Entries{Store: r.store.ID(), Error: nostr.Failed.Text("the writer is stopping")})
		if r.stopping.Err() == nil {
			reply = r.fetch(q.ask)
		}
		r.reply(q.msg, reply)
	}
}

func (r *readers) reply(msg *bus.Message, m proto.Message) { r.replied(msg, m, r.bus.Reply(msg, m)) }

func (r *readers) replied(msg *bus.Message, m proto.Message, err error) {
	if err != nil {
		r.metrics.unsent.Inc()
		r.troubles.complain(r.now(), r.log, "a reply was not sent", "to", msg.Subject, "bytes", proto.Size(m), "err", err)
	}
}

func (r *readers) closeView(v *store.View) {
	if err := v.Close(); err != nil {
		r.troubles.complain(r.now(), r.log, "a view cannot be closed", "err", err)
	}
}
