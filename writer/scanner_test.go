package writer

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rhea/proto/bus"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/writer/store"
)

// TestBriefSlicesGoTogether has slices wait for a scanner: the results of those by id
// are one bus message, and none waits for a slice that may take long. Each has its
// reply, after it.
func TestBriefSlicesGoTogether(t *testing.T) {
	w := newWorld(t)
	st, err := store.Open("store", store.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	r := &readers{
		bus: w.mem.Join(w.space, slog.New(slog.DiscardHandler)), metrics: newMetrics(stage.NewMetrics("writer")), store: st,
		scans: make(chan request[*relaypb.Scan], 32), stopping: context.Background(), now: time.Now,
	}
	r.setRules(policy.Default(), time.Second)
	replies := bus.Listen(w.bus, func() *relaypb.ScanReply { return new(relaypb.ScanReply) }, 0)
	if err := replies.Add("reply.*"); err != nil {
		t.Fatal(err)
	}
	defer replies.Close()
	ask := func(num uint64, byID bool) {
		scan := &relaypb.Scan{
			Filters: fmt.Appendf(nil, `{"ids":["%064x"]}`, num),
			Direct:  &relaypb.Direct{Gateway: uint32(w.bus.Instance), Num: num, Worker: 9, ById: byID},
		}
		r.scans <- request[*relaypb.Scan]{&bus.Message{Reply: fmt.Sprint("reply.", num)}, scan}
	}
	for num := range uint64(5) {
		ask(num, num != 2) // 2 may take long
	}
	for num := range uint64(maxTogether + 1) {
		ask(num+5, true)
	}
	close(r.scans)
	newScanner(r).run()
	var together []int
	next := uint64(0)
	for w.out.Waiting() > 0 {
		n := 0
		w.out.Each(<-w.out.C(), func(m *relaypb.OutInbox) {
			if p := m.GetPart(); p.GetNum() != next || !p.Eose {
				t.Errorf("part %v, want that of %d", p, next)
			}
			next++
			n++
		})
		together = append(together, n)
	}
	// 0 and 1 before 2; 2 with what comes next, up to the bound; the rest.
	if want := []int{2, maxTogether, 4}; !slices.Equal(together, want) {
		t.Errorf("%d parts in a message, want %d", together, want)
	}
	if got := replies.Waiting(); got != maxTogether+6 {
		t.Errorf("%d replies", got)
	}
}
