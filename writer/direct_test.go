package writer

import (
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/proto"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/relaypb"
)

// A slice that is direct goes to its gateway as a Part before the asker hears how much
// it was; one that fails goes nowhere.
func TestDirect(t *testing.T) {
	w := newWorld(t)
	r := w.start(memConfig(), vfs.NewMem())
	defer r.stop()
	var notes []*nostr.Event
	for _, e := range nostrtest.Events(t)[:200] {
		if e.Kind == 1 {
			notes = append(notes, e)
		}
	}
	w.fill(notes...)
	to := &relaypb.Direct{Gateway: uint32(w.bus.Instance), Num: 7, Worker: 9, Index: 3, ById: true}
	ask := &relaypb.Scan{Filters: []byte(`{"limit":30}`), MaxBytes: 4000, Everything: true}
	for _, blind := range []bool{false, true} {
		to.Blind, ask.Cursor, ask.AsOf = blind, nil, 0
		for slice := 0; ; slice++ {
			ask.Direct = nil
			want := w.scan(ask)
			ask.Direct = to
			got := w.scan(ask)
			bytes := 0
			for _, e := range want.Events {
				bytes += len(e)
			}
			sent := &relaypb.Sent{Events: uint32(len(want.Events)), Bytes: uint64(bytes)}
			if !proto.Equal(got.Sent, sent) || len(got.Events) > 0 || got.Done != want.Done || !slices.Equal(got.Cursor, want.Cursor) {
				t.Fatalf("slice %d: the asker hears %v, want %v and no events", slice, got, sent)
			}
			part := &relaypb.Part{
				Num: 7, Worker: 9, Index: 3, Events: want.Events, Cursor: want.Cursor, AsOf: want.AsOf,
				Eose: want.Done, Completeness: want.Completeness, ById: want.Done,
			}
			if blind {
				part.Completeness = relaypb.Completeness_UNKNOWN
			}
			w.out.Each(<-w.out.C(), func(m *relaypb.OutInbox) {
				if !proto.Equal(m.GetPart(), part) {
					t.Errorf("slice %d: the gateway got %v, want %v", slice, m, part)
				}
			})
			if ask.Cursor, ask.AsOf = want.Cursor, want.AsOf; want.Done {
				if slice < 3 {
					t.Errorf("%d slices: the test tests little", slice)
				}
				break
			}
		}
	}
	ask.Filters = []byte(`{"limit":`)
	if reply := w.scan(ask); reply.Error == "" || reply.Sent != nil || w.out.Waiting() > 0 {
		t.Errorf("a bad request was answered with %v", reply)
	}
}
