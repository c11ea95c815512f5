package writer

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

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
	next := uint64(1)
	for i := range commitsAhead {
		v := w.verdict()
		if v.Outcome != relaypb.Outcome_NEW || v.Num != uint64(i+1) {
			t.Errorf("verdict %d: %v", i+1, v)
		}
		for _, e := range w.published() {
			if e.From != next || e.Next != next+uint64(len(e.Entries)) || e.Head < e.Next-1 {
				t.Errorf("published: %v", e)
			}
			next = e.Next
		}
		if next < uint64(i+2) {
			t.Errorf("verdict %d came before its entry", i+1)
		}
	}
	if v := w.verdict(); v.Outcome != relaypb.Outcome_DUPLICATE {
		t.Errorf("the repeated event: %v", v)
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
	r := w.start(memConfig(), fs)
	gen := nostrtest.NewEventGen(rng.Uint64(), 1_700_000_000)
	byNum := make(map[uint64]*nostr.Event)
	const events = 1500
	for range events {
		e := gen.Event()
		for e.Kind == 5 || !e.Kind.IsRegular() { // these stay for good
			e = gen.Event()
		}
		byNum[w.admit(admittedOf(e))] = e
		if rng.IntN(10) == 0 {
			w.flush()
		}
	}
	w.flush()
	var acknowledged []*nostr.Event
	for range 1 + rng.IntN(events) {
		if v := w.verdict(); v.Outcome == relaypb.Outcome_NEW {
			acknowledged = append(acknowledged, byNum[v.Num])
		}
	}
	after := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
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
