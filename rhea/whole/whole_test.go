package whole_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
	"rhea/rhea/whole"
)

// A relay is whole when the last of all that is wanted has come, and not before.
func TestWait(t *testing.T) {
	space, err := subject.New("test", 4)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		b := bus.NewMemory().Join(space, slog.New(slog.DiscardHandler))
		r := bus.NewRoster(b, "", "", nil)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go r.Run(ctx)
		want := map[subject.Stage]int{}
		for _, stage := range subject.Stages() {
			want[stage] = 1
		}
		want[subject.Gateway] = 2
		done := make(chan error, 1)
		go func() { done <- whole.Wait(ctx, r, 4, want, nil, slog.New(slog.DiscardHandler)) }()
		synctest.Wait()

		members := []*relaypb.Member{
			{Stage: "gateway", Instance: 1}, {Stage: "gateway", Instance: 2},
			{Stage: "ingester", Instance: 3, Owned: []uint32{0, 1, 2, 3}},
			{Stage: "reqworker", Instance: 4, Owned: []uint32{0, 1, 2, 3}},
			{Stage: "monitor", Instance: 5, Owned: []uint32{0, 1}},
			{Stage: "negentropy", Instance: 6, Owned: []uint32{0, 1, 2, 3}},
			{Stage: "writer", Instance: 7},
		}
		say := func() {
			for _, m := range members {
				m.Shards = 4
				if err := b.Publish(space.Member(subject.Stage(m.Stage)), m); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
		}
		say()
		missing := whole.Missing(r.View(), 4, want)
		if got := strings.Join(missing, "; "); got != "writer: the store is not open yet; monitor: 2 of 4 shards have no owner" {
			t.Fatal(got)
		}
		members[4].Owned = []uint32{0, 1, 2, 3}
		members[6].Store = 9
		members[0].Leaving = true
		say()
		if missing := whole.Missing(r.View(), 4, want); !slices.Equal(missing, []string{"gateway: 1 of 2"}) {
			t.Fatal(missing)
		}
		select {
		case err := <-done:
			t.Fatal("too early", err)
		default:
		}
		members[0].Leaving = false
		say()
		time.Sleep(time.Second) // synctest's clock
		synctest.Wait()
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatal("not ready")
		}
	})
}

// The order of stopping names every stage, once.
func TestStopOrder(t *testing.T) {
	stop, all := whole.StopOrder(), subject.Stages()
	if stop[0] != subject.Gateway || stop[len(stop)-1] != subject.Writer {
		t.Fatal(stop)
	}
	slices.Sort(stop)
	slices.Sort(all)
	if !slices.Equal(stop, all) {
		t.Fatal(stop, all)
	}
}

func TestReachable(t *testing.T) {
	for in, want := range map[string]string{
		"0.0.0.0:1": "127.0.0.1:1", ":1": "127.0.0.1:1", "[::]:1": "[::1]:1", "example.org:1": "example.org:1", "x": "x",
	} {
		if got := whole.Reachable(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
