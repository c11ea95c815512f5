package operate

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
	"rhea/writer/store"
)

// While an export runs, one event a slice, events are replaced, half of them by
// one of the same second with a lower id. Of each there must be a version.
func TestExportKeepsTheReplaced(t *testing.T) {
	const authors = 200
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	s, err := store.Open(filepath.Join(t.TempDir(), "store"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var profiles []*nostr.Event
	publish := func(e *nostr.Event) {
		c, err := s.Commit([]store.Incoming{{Header: nostr.AppendHeader(nil, e), JSON: e.AppendJSON(nil)}})
		if err == nil {
			_, _, err = c.Wait()
		}
		if err != nil {
			t.Error(err)
		}
	}
	for i := range authors {
		e := &nostr.Event{Kind: 0, CreatedAt: 1000 + rng.Int64N(authors/10)}
		binary.BigEndian.PutUint32(e.PubKey[:], uint32(i))
		binary.BigEndian.PutUint64(e.ID[:], 1<<63|rng.Uint64())
		profiles = append(profiles, e)
		publish(e)
	}

	join := memory(t)
	b := join()
	inbox := bus.Listen(b, func() *relaypb.ScanInbox { return new(relaypb.ScanInbox) }, 0)
	if err := inbox.Add(b.Space.Scan()); err != nil {
		t.Fatal(err)
	}
	serve := func(ask *relaypb.Scan) *relaypb.ScanReply {
		v, err := s.View()
		if err != nil {
			return &relaypb.ScanReply{Error: "invalid: " + err.Error()}
		}
		defer v.Close()
		r, err := v.Scan(store.ScanRequest{
			Filters: []nostr.Filter{nostr.All()}, Cursor: ask.Cursor, AsOf: subject.Seq(ask.AsOf), Ascending: ask.Ascending, MaxBytes: 1,
		})
		if err != nil {
			return &relaypb.ScanReply{Error: "invalid: " + err.Error()}
		}
		return &relaypb.ScanReply{AsOf: uint64(r.AsOf), Events: r.Events, Cursor: r.Cursor, Done: r.Done}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for changes := 0; ; {
			select {
			case <-stop:
				return
			case msg := <-inbox.C():
				inbox.Each(msg, func(m *relaypb.ScanInbox) {
					reply := serve(m.GetScan())
					if changes++; changes <= 2*authors { // else the export runs after them for ever
						e := *profiles[rng.IntN(authors)]
						if e.CreatedAt += rng.Int64N(2); e.CreatedAt == profiles[binary.BigEndian.Uint32(e.PubKey[:])].CreatedAt {
							binary.BigEndian.PutUint64(e.ID[:], binary.BigEndian.Uint64(e.ID[:])-1-rng.Uint64N(1<<50))
						} else {
							binary.BigEndian.PutUint64(e.ID[:], 1<<63|rng.Uint64())
						}
						profiles[binary.BigEndian.Uint32(e.PubKey[:])] = &e
						publish(&e)
					}
					b.Reply(msg, reply)
				})
			}
		}
	}()
	var out bytes.Buffer
	_, err = Scan(t.Context(), join(), Query{Ascending: true}, &out)
	close(stop)
	<-stopped
	inbox.Close()
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[nostr.PubKey]bool)
	for line := range bytes.Lines(out.Bytes()) {
		e, err := nostr.ParseEvent(line, nostr.EventLimits{})
		if err != nil {
			t.Fatal(err)
		}
		seen[e.PubKey] = true
	}
	if len(seen) != authors {
		t.Errorf("%d of %d are there in some version", len(seen), authors)
	}
}
