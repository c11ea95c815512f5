package writer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/relaypb"
)

// isWALSync says whether an operation is the one that makes commits durable.
func isWALSync(op errorfs.Op) bool {
	switch op.Kind {
	case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
		return strings.HasSuffix(op.Path, ".log")
	}
	return false
}

// While the disk does not answer, no verdict leaves, nothing is published,
// announced or read, and readers are served; the next commit is decided and
// applied meanwhile. Then all of it comes, entries before verdicts.
func TestVerdictsAfterSync(t *testing.T) {
	var closed atomic.Bool
	goOn := make(chan struct{})
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if closed.Load() && isWALSync(op) {
			<-goOn
		}
		return nil
	}))
	w := newWorld(t)
	r := w.start(memConfig(), fs)
	defer r.stop()
	events := nostrtest.Events(t)
	// One channel for both subjects shows in which order they were published.
	order := bus.Listen(w.bus, func() *relaypb.LogInbox { return new(relaypb.LogInbox) }, 0)
	defer order.Close()
	if err := errors.Join(order.Add(w.space.Log()), order.Add(w.space.Out(w.bus.Instance))); err != nil {
		t.Fatal(err)
	}
	closed.Store(true)
	for i := range commitsAhead {
		w.admit(admittedOf(events[i]))
		w.flush()
		eventually(t, "another commit is applied", func() bool { return r.writer.metrics.committing.Value() == int64(i+1) })
	}
	// One more than may be on its way stays in the inbox.
	w.admit(admittedOf(events[0]))
	w.flush()
	reply := w.scan(&relaypb.Scan{Filters: []byte(`{}`)})
	if reply.Error != "" || len(reply.Events) > 0 || !reply.Done {
		t.Errorf("a scan meanwhile: %v", reply)
	}
	if e := w.fetch(1, 0); e.Error != "" || e.Next != 1 {
		t.Errorf("a fetch meanwhile: %v", e)
	}
	if w.out.Waiting() > 0 || w.log.Waiting() > 0 || r.head.Load() != 0 || r.inbox.Waiting() != 1 {
		t.Errorf("%d verdicts, %d of the log, head %d, %d in the inbox", w.out.Waiting(), w.log.Waiting(), r.head.Load(), r.inbox.Waiting())
	}

	closed.Store(false)
	close(goOn)
	for i := range commitsAhead {
		if v := w.verdict(); v.Outcome != relaypb.Outcome_NEW || v.Num != uint64(i+1) {
			t.Errorf("verdict %d: %v", i+1, v)
		}
		for _, subj := range []string{w.space.Log(), w.space.Out(w.bus.Instance)} {
			if msg := <-order.C(); msg.Subject != subj {
				t.Errorf("commit %d: a message on %s where one on %s is due", i+1, msg.Subject, subj)
			}
		}
	}
	if v := w.verdict(); v.Outcome != relaypb.Outcome_DUPLICATE {
		t.Errorf("the repeated event: %v", v)
	}
	next := uint64(1)
	for _, e := range w.published() {
		if e.From != next || e.Next != next+uint64(len(e.Entries)) || e.Head < e.Next-1 {
			t.Errorf("published: %v", e)
		}
		next = e.Next
	}
	if next != commitsAhead+1 {
		t.Errorf("the log ends at %d", next)
	}
}

// The machine loses power at a random moment under load, with any part of what
// was not synced. Every event that had a verdict NEW is in the store that comes
// up, the log is dense up to its head, and every event in the log can be found.
func TestCrash(t *testing.T) {
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	for range rounds {
		seed := rand.Uint64()
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { crash(t, rand.New(rand.NewPCG(seed, 0))) })
	}
}

func crash(t *testing.T, rng *rand.Rand) {
	fs := vfs.NewCrashableMem()
	w := newWorld(t)
	// The disk takes its time, so that there is something not yet synced to lose.
	r := w.start(memConfig(), errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if isWALSync(op) {
			<-time.After(time.Millisecond)
		}
		return nil
	})))
	gen := nostrtest.NewEventGen(rng.Uint64(), 4_000_000_000) // nothing expires before that
	events := make([]*nostr.Event, 1500)
	for i := range events {
		for events[i] == nil || events[i].Kind == 5 || !events[i].Kind.IsRegular() { // the others may go again
			events[i] = gen.Event()
		}
	}
	// The load goes on while verdicts are read and the power fails, with a window
	// as gateways keep it.
	window, failed := make(chan struct{}, 1+rng.IntN(100)), make(chan struct{})
	var load sync.WaitGroup
	load.Go(func() {
		for _, e := range events {
			w.admit(admittedOf(e))
			select {
			case window <- struct{}{}:
				continue
			default:
				w.flush()
			}
			select {
			case window <- struct{}{}:
			case <-failed:
				return
			}
		}
		w.flush()
	})
	var acknowledged []*nostr.Event
	for range 1 + rng.IntN(len(events)) {
		if v := w.verdict(); v.Outcome == relaypb.Outcome_NEW {
			acknowledged = append(acknowledged, events[v.Num-1])
		}
		<-window
	}
	after := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: max(0, rng.IntN(201)-100), RNG: rng})
	close(failed)
	load.Wait()
	r.stop()

	w = newWorld(t)
	r = w.start(memConfig(), after)
	defer r.stop()
	head := r.head.Load()
	logged := make(map[nostr.EventID]bool)
	for next := uint64(1); next <= head; {
		e := w.fetch(next, 0)
		for _, entry := range e.Entries {
			if entry.Seq != next {
				t.Fatalf("entry %d where %d is due", entry.Seq, next)
			}
			next++
			logged[nostr.Header(entry.Header).ID()] = true
		}
		if e.Next != next || len(e.Entries) == 0 {
			t.Fatalf("a hole in the log at %d of %d", next, head)
		}
	}
	for _, e := range acknowledged {
		if !logged[e.ID] {
			t.Fatalf("event %s had its verdict and is lost", e.ID)
		}
	}
	stored, _ := w.all(`{}`, 0)
	if len(stored) != len(logged) || uint64(len(stored)) != head {
		t.Fatalf("%d events stored, %d logged, head %d", len(stored), len(logged), head)
	}
	for _, json := range stored {
		e, err := nostr.ParseEvent(json, nostr.EventLimits{})
		if err != nil || !logged[e.ID] {
			t.Fatalf("stored and not logged: %s, %v", json, err)
		}
	}
	t.Logf("%d acknowledged, %d survived", len(acknowledged), len(stored))
}

// smallDisk is a file system of which the test says how much is free.
type smallDisk struct {
	vfs.FS
	free atomic.Uint64
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.free.Load()}, nil
}

// With less space than the reserve events are refused, as our failure, and the
// store is read as before; with space again they are taken.
func TestDiskFull(t *testing.T) {
	disk := &smallDisk{FS: vfs.NewMem()}
	disk.free.Store(1 << 40)
	w := newWorld(t)
	defer w.start(memConfig(), disk).stop()
	for i, step := range []struct {
		free uint64
		want relaypb.Outcome
	}{
		{1 << 40, relaypb.Outcome_NEW},
		{1 << 10, relaypb.Outcome_ERROR},
		{1 << 40, relaypb.Outcome_NEW},
	} {
		disk.free.Store(step.free)
		w.admit(admittedOf(nostrtest.Events(t)[i]))
		w.flush()
		v := w.verdict()
		if v.Outcome != step.want || v.Outcome == relaypb.Outcome_ERROR && v.Text != "error: disk full" {
			t.Errorf("with %d bytes free: %v", step.free, v)
		}
		if reply := w.scan(&relaypb.Scan{Filters: []byte(`{}`)}); reply.Error != "" || len(reply.Events) == 0 {
			t.Errorf("with %d bytes free, a scan: %v", step.free, reply)
		}
	}
}

// failingEnv tells a copy of the test's process to be the writer whose disk
// fails.
const failingEnv = "RHEA_TEST_FAILING_DISK"

// A disk that fails to sync ends the process, with the reason, and no verdict.
func TestDiskFailureIsLoud(t *testing.T) {
	if os.Getenv(failingEnv) != "" {
		failingDisk(t)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDiskFailureIsLoud$")
	cmd.Env = append(os.Environ(), failingEnv+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("the disk is on fire")) || !bytes.Contains(out, []byte("store store: ")) || bytes.Contains(out, []byte("verdict:")) {
		t.Errorf("ended with %v and said\n%s", err, out)
	}
}

func failingDisk(t *testing.T) {
	var fails atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if fails.Load() && isWALSync(op) {
			return fmt.Errorf("the disk is on fire")
		}
		return nil
	}))
	w := newWorld(t)
	r, ended := w.launch(context.Background(), memConfig(), fs)
	eventually(t, "the writer serves", func() bool { return r.storeID.Load() != 0 })
	fails.Store(true)
	w.admit(admittedOf(nostrtest.Events(t)[0]))
	w.flush()
	select {
	case err := <-ended:
		t.Fatalf("ended with %v", err)
	case <-w.out.C():
		t.Fatal("verdict: given")
	}
}
