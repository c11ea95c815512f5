package writer

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rhea/proto/beat"
	"rhea/proto/bus"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
	"rhea/writer/store"
)

// housekeeping is the rhythm of what need not be done for every commit.
const housekeeping = time.Second

// expireTime is how long one round of housekeeping may drop ephemeral entries,
// which keeps commits waiting: time for some 50,000, at 2 us of CPU each.
const expireTime = 100 * time.Millisecond

// Run is the stage: it opens the store and serves it until ctx ends, then
// answers what waits, closes the store and returns nil. It returns an error when
// another writer is on the bus, when the store cannot be opened, and at once when
// the store fails.
func Run(ctx context.Context, cfg Config, env stage.Env) error {
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("writer: %w", err)
	}
	return newWriter(cfg, env, vfs.Default).run(ctx)
}

// writer is the goroutine decide and what it wires up.
type writer struct {
	cfg     Config
	env     stage.Env
	fs      vfs.FS
	metrics *metrics
	roster  *bus.Roster
	inbox   *bus.Inbox[*relaypb.WriteInbox]
	own     *relaypb.Member // the instance and start that are announced; fixed

	// For the announcements, which another goroutine makes; storeID is 0 until the
	// store is open and served.
	storeID, head atomic.Uint64

	store   *store.Store
	syncer  *syncer
	readers *readers
	ahead   int  // commits that wait for the disk
	due     bool // there may be something to sweep
	pulse   *stage.Pulse
	full    atomic.Bool // the disk, nearly
}

func newWriter(cfg Config, env stage.Env, fs vfs.FS) *writer {
	w := &writer{cfg: cfg, env: env, fs: fs, metrics: newMetrics(env.Metrics)}
	w.own = &relaypb.Member{Instance: uint32(env.Bus.Instance), Started: time.Now().UnixMilli()}
	w.roster = bus.NewRoster(env.Bus, subject.Writer, env.Version, func(m *relaypb.Member) {
		m.Started = w.own.Started
		m.Store, m.Seq = w.storeID.Load(), w.head.Load()
		m.Stats = env.Metrics.Report()
	})
	w.inbox = bus.Listen(env.Bus, bus.Again[relaypb.WriteInbox](), 0)
	w.pulse = env.Checks.Loop("loop")
	env.Checks.Ready("store", w.ready)
	env.Metrics.InboxWaiting(w.inbox.Waiting)
	w.inbox.MeasureHops(env.Metrics.Hop("write"))
	env.Metrics.GaugeFunc("disk_full", "1 while events are refused because the disk is nearly full, else 0.", func() float64 {
		if w.full.Load() {
			return 1
		}
		return 0
	})
	env.Metrics.GaugeFunc("seq", "The last Seq on disk.", func() float64 { return float64(w.head.Load()) })
	return w
}

// run listens on write before anybody can know of this writer, because gateways
// send again what is unanswered as soon as they do.
func (w *writer) run(ctx context.Context) error {
	if err := w.inbox.Add(w.env.Bus.Space.Write()); err != nil {
		return fmt.Errorf("writer: %w", err)
	}
	defer w.inbox.Close()
	err := w.roster.While(ctx, func(ctx context.Context) error {
		if err := awaitRival(ctx, w.roster, w.own); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		return w.serve(ctx)
	})
	if err != nil {
		return fmt.Errorf("writer: %w", err)
	}
	return nil
}

// serve drains in this order: announce the leave, stop listening, decide what
// waits, wait for the disk and answer, stop the readers, close the store.
func (w *writer) serve(ctx context.Context) error {
	if err := w.open(); err != nil {
		return err
	}
	w.syncer = newSyncer(w.env, w.store.ID(), w.metrics, &w.head)
	go w.syncer.run()
	readers, err := startReaders(w.env, w.cfg, w.store, w.metrics)
	w.readers = readers
	if err == nil {
		// Said only now, because who hears it asks.
		w.storeID.Store(w.store.ID())
		w.roster.Announce()
		err = w.decide(ctx)
	}

	w.roster.Leave()
	w.inbox.Close()
	for err == nil && w.inbox.Waiting() > 0 {
		if w.ahead == commitsAhead {
			<-w.syncer.freed
			w.ahead--
		}
		err = w.commit(<-w.inbox.C())
	}
	close(w.syncer.commits)
	<-w.syncer.done
	if err == nil {
		select {
		case err = <-w.syncer.failed:
		default:
		}
	}
	if readers != nil {
		readers.stop()
	}
	if err != nil {
		// A store that failed is left as it is: its files are right, and closing it
		// would write to it.
		return errors.Join(err, w.closeHealthy())
	}
	return w.store.Close()
}

func (w *writer) closeHealthy() error {
	if w.store.Err() != nil {
		return nil
	}
	return w.store.Close()
}

func (w *writer) open() error {
	st, err := store.Open(w.cfg.Dir, store.Options{
		FS: w.fs, CacheBytes: int64(w.cfg.Cache), MemTableBytes: uint64(w.cfg.MemTable),
		ReserveBytes: w.cfg.reserve(), EphemeralKeep: w.cfg.EphemeralKeep, Logger: w.env.Log,
	})
	if err != nil {
		return err
	}
	w.store = st
	w.head.Store(uint64(st.Head()))
	w.env.Log.Info("the store is open", "dir", w.cfg.Dir, "store", fmt.Sprintf("%016x", st.ID()), "seq", st.Head())
	return nil
}

// decide is the loop that owns the committing side of the store. It returns nil
// when ctx ends.
func (w *writer) decide(ctx context.Context) error {
	changes := w.roster.Changes()
	tick := beat.NewTicker(housekeeping)
	defer tick.Stop()
	defer w.pulse.End()
	w.checkDisk()
	now := make(chan struct{})
	close(now)
	w.due = true
	for {
		// Where both are ready, chance takes turns: neither a flood of events nor a
		// great sweep makes the other wait for long.
		intake, sweep := w.inbox.C(), now
		if w.ahead == commitsAhead {
			intake = nil
		}
		if w.ahead == commitsAhead || !w.due {
			sweep = nil
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-w.syncer.failed:
			return err
		case <-w.syncer.freed:
			w.ahead--
			w.metrics.committing.Set(int64(w.ahead))
		case s := <-w.env.Reload:
			w.reload(s)
		case <-changes:
			// A second writer found its way onto the bus, perhaps because a network
			// was cut in two for a while. The younger gives way.
			if m := rival(w.roster.View(), w.own, givesWay); m != nil {
				return rivalError(m)
			}
		case <-tick.C:
			tick.Next()
			w.pulse.Beat()
			if err := w.keepHouse(); err != nil {
				return err
			}
		case <-sweep:
			if err := w.sweep(); err != nil {
				return err
			}
		case msg := <-intake:
			if err := w.commit(msg); err != nil {
				return err
			}
		}
	}
}

// reload goes by other settings, from the next commit and the next slice on.
func (w *writer) reload(s stage.Settings) {
	dir := w.cfg.Dir // which rhea solo has derived from other settings
	w.cfg = stage.Section[Config](s)
	w.cfg.Dir = dir
	w.readers.setRules(stage.Section[policy.Policy](s), w.cfg.ScanSlice)
	w.store.Adjust(w.cfg.reserve(), w.cfg.EphemeralKeep)
	w.checkDisk()
}

// commit makes one commit of first and what waits behind it.
func (w *writer) commit(first *bus.Message) error {
	var b batch
	w.take(&b, first)
	for !b.full() && w.inbox.Waiting() > 0 {
		w.take(&b, <-w.inbox.C())
	}
	if len(b.asked) == 0 {
		return nil
	}
	at := time.Now()
	c, err := w.store.Commit(b.incoming)
	if err != nil {
		return err
	}
	w.due = w.due || w.store.Vanishing()
	w.handOver(committed{commit: c, asked: b.asked, at: at})
	return nil
}

// sweep makes one step of removing what has vanished or expired.
func (w *writer) sweep() error {
	at := time.Now()
	c, more, err := w.store.Sweep(w.env.Now())
	w.due = more
	if c != nil {
		w.handOver(committed{commit: c, at: at})
	}
	return err
}

// handOver gives a commit to the syncer, which has room for commitsAhead.
func (w *writer) handOver(c committed) {
	w.ahead++
	w.metrics.committing.Set(int64(w.ahead))
	w.syncer.commits <- c
}

func (w *writer) take(b *batch, msg *bus.Message) {
	w.inbox.Each(msg, func(m *relaypb.WriteInbox) {
		switch body := m.Body.(type) {
		case *relaypb.WriteInbox_Admitted:
			w.metrics.received.Inc()
			if !b.add(body.Admitted) {
				w.metrics.malformed.Inc()
			}
		default:
			w.metrics.unknown.Inc()
		}
	})
}

// keepHouse drops ephemeral events that are old, has expired events swept, and
// looks after the disk.
func (w *writer) keepHouse() error {
	w.checkDisk()
	w.due = true
	figures := w.store.Stats()
	w.metrics.figures.Store(&figures)
	for start := time.Now(); time.Since(start) < expireTime; {
		more, err := w.store.Expire(time.Now())
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	return w.store.Err()
}

func (w *writer) checkDisk() {
	if usage, err := w.fs.GetDiskUsage(w.cfg.Dir); err == nil {
		w.metrics.diskFree.Set(int64(usage.AvailBytes))
	}
	w.metrics.diskReserve.Set(int64(w.cfg.DiskReserve))
	ok, full := w.store.DiskOK(), w.full.Load()
	switch {
	case ok && full:
		w.env.Log.Info("the disk has room again, events are taken", "dir", w.cfg.Dir)
	case !ok && !full:
		w.env.Log.Error("the disk is nearly full, events are refused", "dir", w.cfg.Dir, "free", stage.ByteSize(w.metrics.diskFree.Value()), "reserve", w.cfg.DiskReserve)
	}
	w.full.Store(!ok)
}

// ready says why this writer does not take events.
func (w *writer) ready() error {
	switch {
	case w.storeID.Load() == 0:
		return errNotServed
	case w.full.Load():
		return errDiskFull
	}
	return nil
}

var (
	errNotServed = errors.New("none is served yet")
	errDiskFull  = errors.New("the disk is nearly full, events are refused")
)
