package writer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/proto"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/relaypb"
	"rhea/writer/store"
)

// fill has a writer store events.
func (w *world) fill(events ...*nostr.Event) {
	w.t.Helper()
	for _, e := range events {
		e.ID = e.ComputeID()
		w.admit(admittedOf(e))
	}
	w.flush()
	for range events {
		if v := w.verdict(); v.Outcome != relaypb.Outcome_NEW {
			w.t.Fatalf("%v", v)
		}
	}
}

// Who reads decides what a scan finds, whatever it returns of it.
func TestScanForReaders(t *testing.T) {
	w := newWorld(t)
	r := w.start(memConfig(), vfs.NewMem())
	defer r.stop()
	alice, bob, eve := nostr.PubKey{1}, nostr.PubKey{2}, nostr.PubKey{3}
	past, future := fmt.Sprint(time.Now().Unix()-10), fmt.Sprint(time.Now().Unix()+10_000)
	note := &nostr.Event{PubKey: alice, CreatedAt: 100, Kind: 1, Tags: []nostr.Tag{{"expiration", future}}}
	letter := &nostr.Event{PubKey: alice, CreatedAt: 101, Kind: 4, Tags: []nostr.Tag{{"p", bob.String()}}}
	// It may be gone already when it is looked for.
	old := &nostr.Event{PubKey: alice, CreatedAt: 102, Kind: 1, Tags: []nostr.Tag{{"expiration", past}}}
	w.fill(note, letter, old)
	for _, c := range []struct {
		what string
		keys [][]byte
		want []*nostr.Event
	}{
		{"a stranger", nil, []*nostr.Event{note}},
		{"somebody else", [][]byte{eve[:]}, []*nostr.Event{note}},
		{"the author", [][]byte{eve[:], alice[:]}, []*nostr.Event{letter, note}},
		{"the recipient", [][]byte{bob[:]}, []*nostr.Event{letter, note}},
	} {
		events := w.scan(&relaypb.Scan{Filters: []byte(`{}`), Keys: c.keys})
		ids := w.scan(&relaypb.Scan{Filters: []byte(`{}`), Keys: c.keys, Want: relaypb.Want_IDS})
		count := w.scan(&relaypb.Scan{Filters: []byte(`{"limit":1},{"kinds":[1,4]}`), Keys: c.keys, Want: relaypb.Want_COUNT})
		var lines [][]byte
		var items []byte
		for _, e := range c.want {
			lines = append(lines, e.AppendJSON(nil))
			items = append(binary.BigEndian.AppendUint64(items, uint64(e.CreatedAt)), e.ID[:]...)
		}
		if !bytes.Equal(bytes.Join(events.Events, nil), bytes.Join(lines, nil)) || events.Completeness != relaypb.Completeness_FINISH {
			t.Errorf("%s reads %v", c.what, events)
		}
		expiring := binary.BigEndian.AppendUint32(nil, uint32(len(c.want)-1))
		expiring = binary.BigEndian.AppendUint64(expiring, uint64(nostr.AppendHeader(nil, note).Expiration()))
		if !bytes.Equal(ids.Ids, items) || !bytes.Equal(ids.Expiring, expiring) {
			t.Errorf("%s has the ids %v", c.what, ids)
		}
		if count.Count != uint64(len(c.want)) || !count.Done || count.Hll != nil {
			t.Errorf("%s counts %v", c.what, count)
		}
	}
	if all := w.scan(&relaypb.Scan{Filters: []byte(`{"kinds":[4]}`), Everything: true}); len(all.Events) != 1 {
		t.Errorf("an operator reads %v", all)
	}
	if got := w.scan(&relaypb.Scan{Filters: []byte(`{"limit":1}`), Keys: [][]byte{bob[:]}}); got.Completeness != relaypb.Completeness_MORE {
		t.Errorf("one of two: %v", got)
	}
}

func TestScanWhatNobodyKnows(t *testing.T) {
	w := newWorld(t)
	r := w.start(memConfig(), vfs.NewMem())
	defer r.stop()
	for _, ask := range []*relaypb.Scan{
		{Want: 3}, {Want: -1}, {Want: relaypb.Want_COUNT, HllOffset: 7}, {HllOffset: 24}, {HllOffset: 1 << 31},
	} {
		ask.Filters = []byte(`{}`)
		if reply := w.scan(ask); !strings.HasPrefix(reply.Error, "unsupported: ") {
			t.Errorf("%v: %v", ask, reply)
		}
	}
	// Indices of filters that are not there mean nothing.
	if reply := w.scan(&relaypb.Scan{Filters: []byte(`{"limit":1}`), Capped: []uint32{0, 1, 1 << 31}}); reply.Error != "" || !reply.Done {
		t.Errorf("%v", reply)
	}
}

// A reply of ids fits the bus even when all of them expire.
func TestRepliesOfIDsFitTheBus(t *testing.T) {
	w := newWorld(t)
	r := w.start(memConfig(), vfs.NewMem())
	defer r.stop()
	const total = maxReply/store.IDLen + 10
	expiration := fmt.Sprint(time.Now().Unix() + 10_000)
	var events []*nostr.Event
	for i := range total {
		events = append(events, &nostr.Event{PubKey: nostr.PubKey{1}, CreatedAt: int64(i), Kind: 1, Tags: []nostr.Tag{{"expiration", expiration}}})
	}
	w.fill(events...)
	ask := &relaypb.Scan{Filters: []byte(`{}`), Want: relaypb.Want_IDS}
	for found := 0; ; {
		reply := w.scan(ask)
		if reply.Error != "" || proto.Size(reply) > bus.MaxMessage || len(reply.Expiring)/12 != len(reply.Ids)/store.IDLen {
			t.Fatalf("%d bytes, %d ids, %s", proto.Size(reply), len(reply.Ids)/store.IDLen, reply.Error)
		}
		if found += len(reply.Ids) / store.IDLen; reply.Done {
			if found != total {
				t.Errorf("%d ids, want %d", found, total)
			}
			return
		}
		ask.Cursor, ask.AsOf = reply.Cursor, reply.AsOf
	}
}

// The registers of all slices together are those of the events.
func TestCountOfRealEvents(t *testing.T) {
	w := newWorld(t)
	r := w.start(memConfig(), vfs.NewMem())
	defer r.stop()
	events := nostrtest.Events(t)[:300]
	events = slices.DeleteFunc(events, func(e *nostr.Event) bool { return e.Kind != 1 && e.Kind != 7 })
	stored := 0
	var want nostr.Registers
	for _, e := range events {
		w.admit(admittedOf(e))
	}
	w.flush()
	for _, e := range events {
		if v := w.verdict(); v.Outcome == relaypb.Outcome_NEW && e.Kind == 1 {
			want.Add(e.PubKey, 12)
			stored++
		}
	}
	reply := w.scan(&relaypb.Scan{Filters: []byte(`{"kinds":[1]}`), Want: relaypb.Want_COUNT, HllOffset: 12})
	if stored == 0 || reply.Count != uint64(stored) || !bytes.Equal(reply.Hll, want[:]) {
		t.Errorf("%d of %d counted, registers %x, want %x", reply.Count, stored, reply.Hll, want)
	}
}
