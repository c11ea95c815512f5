package writer

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rhea/proto/bus"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// rivalWriter announces a writer, until stop is called. Started is when it says it
// was started, 0 for now, and store what it has open, 0 for nothing yet.
func (w *world) rivalWriter(started int64, store uint64) (stop func()) {
	b := w.mem.Join(w.space, slog.New(slog.DiscardHandler))
	r := bus.NewRoster(b, subject.Writer, "test", func(m *relaypb.Member) {
		m.Store = store
		if started != 0 {
			m.Started = started
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	}
}

// A writer that stays is named, after four seconds, and its store is not touched.
func TestSecondWriterIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := w.rivalWriter(0, 7)
		defer stop()
		began := time.Now()
		fs := vfs.NewMem()
		_, ended := w.launch(t.Context(), memConfig(), fs)
		err := <-ended
		host, _ := os.Hostname()
		if err == nil || !strings.Contains(err.Error(), "another writer is on this bus: ") ||
			!strings.Contains(err.Error(), fmt.Sprintf("pid %d on %s", os.Getpid(), host)) {
			t.Errorf("ended with %v", err)
		}
		if d := time.Since(began); d < rivalPatience || d > rivalPatience+time.Second { // of the bubble
			t.Errorf("after %s", d)
		}
		if files, err := fs.List("/"); err != nil || len(files) > 0 {
			t.Errorf("on its disk are %v, %v", files, err)
		}
	})
}

// A writer that is about to go is waited for; what arrives meanwhile is not lost.
func TestRivalGoes(t *testing.T) {
	w := newWorld(t)
	stop := w.rivalWriter(0, 7)
	ctx, cancel := context.WithCancel(context.Background())
	r, ended := w.launch(ctx, memConfig(), vfs.NewMem())
	eventually(t, "both are announced", func() bool { return len(w.roster.View().Members(subject.Writer)) == 2 })
	select {
	case <-r.roster.Settled():
	case err := <-ended:
		t.Fatalf("ended with %v", err)
	}
	if r.storeID.Load() != 0 {
		t.Error("serves beside another")
	}
	w.admit(admittedOf(nostrtest.Events(t)[0]))
	w.flush()
	stop()
	if v := w.verdict(); v.Outcome != relaypb.Outcome_NEW {
		t.Errorf("what came meanwhile: %v", v)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
}

// Two writers that find each other while both serve, as after a network was cut
// in two: the younger ends, the older goes on.
func TestTwoServing(t *testing.T) {
	w := newWorld(t)
	_, ended := w.launch(t.Context(), memConfig(), vfs.NewMem())
	eventually(t, "the writer serves", func() bool {
		m := w.roster.View().Members(subject.Writer)
		return len(m) == 1 && m[0].Store != 0
	})
	younger := w.rivalWriter(math.MaxInt64, 7)
	eventually(t, "the younger is known", func() bool { return len(w.roster.View().Members(subject.Writer)) == 2 })
	w.admit(admittedOf(nostrtest.Events(t)[0]))
	w.flush()
	if v := w.verdict(); v.Outcome != relaypb.Outcome_NEW {
		t.Errorf("beside a younger writer: %v", v)
	}
	younger()
	defer w.rivalWriter(1, 7)()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "another writer is on this bus: ") {
		t.Errorf("beside an older writer: %v", err)
	}
}

// A writer that serves goes on beside a newcomer that has no store, whatever that
// one's clock says, and beside a younger one while it misses its own entry in the
// view.
func TestServingStays(t *testing.T) {
	w, event := newWorld(t), nostrtest.Events(t)[0]
	ctx, cancel := context.WithCancel(context.Background())
	r, ended := w.launch(ctx, memConfig(), vfs.NewMem())
	eventually(t, "the writer serves", func() bool { return r.storeID.Load() != 0 })
	stays := func(why string) {
		t.Helper()
		// decide picks one of what is ready, so the change has its turn in one of these.
		for range 8 {
			w.admit(admittedOf(event))
			w.flush()
			w.verdict()
		}
		select {
		case err := <-ended:
			t.Fatalf("%s: ended with %v", why, err)
		default:
		}
	}
	writers := func() int { return len(r.roster.View().Members(subject.Writer)) }

	stop := w.rivalWriter(1, 0)
	eventually(t, "the newcomer is known", func() bool { return writers() == 2 })
	stays("beside a newcomer without a store")
	stop()
	eventually(t, "the newcomer is forgotten", func() bool { return writers() == 1 })

	defer w.rivalWriter(math.MaxInt64, 7)()
	eventually(t, "the younger is known", func() bool { return writers() == 2 })
	gone := member(uint32(r.bus.Instance), 1, 0)
	gone.Gone = true
	eventually(t, "its own entry is missing", func() bool {
		w.bus.Publish(w.space.Member(subject.Writer), gone) // again, if its next announcement was quicker
		return !r.roster.View().Alive(r.bus.Instance)
	})
	stays("without an entry of its own")
	eventually(t, "it is back", func() bool { return r.roster.View().Alive(r.bus.Instance) })
	stays("with its entry again")
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
}

// A writer that starts leaves the bus to one that has a store open or is older,
// one that serves only to one that has and is.
func TestWhoYields(t *testing.T) {
	for _, c := range []struct {
		name          string
		own, other    *relaypb.Member
		stands, gives bool
	}{
		{"older and about to open", member(1, 20, 0), member(2, 10, 0), true, false},
		{"younger and about to open", member(1, 10, 0), member(2, 20, 0), false, false},
		{"younger and open", member(1, 10, 0), member(2, 20, 5), true, false},
		{"older and open", member(1, 20, 0), member(2, 10, 5), true, true},
		{"same age, lower instance", member(2, 10, 0), member(1, 10, 0), true, false},
		{"same age, lower instance, open", member(2, 10, 0), member(1, 10, 5), true, true},
		{"same age, higher instance", member(1, 10, 0), member(2, 10, 0), false, false},
	} {
		if stands, gives := standsBack(c.own, c.other), givesWay(c.own, c.other); stands != c.stands || gives != c.gives {
			t.Errorf("%s: stands back %v, gives way %v", c.name, stands, gives)
		}
	}
}

func member(instance uint32, started int64, store uint64) *relaypb.Member {
	return &relaypb.Member{Stage: string(subject.Writer), Instance: instance, Started: started, Store: store}
}
