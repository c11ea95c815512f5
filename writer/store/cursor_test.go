package store

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"testing"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
)

func TestCursorRoundTrip(t *testing.T) {
	for _, c := range []cursor{
		{},
		{quotas: []quota{{phase: unlimited}, {phase: ended}, {phase: looking}, {limited, 1}, {tying, math.MaxInt}}, more: true},
		{ascending: true, started: true, pos: position{math.MaxInt64, nostr.EventID{1, 31: 2}}, quotas: []quota{{limited, 5}}, unsure: true},
		{want: relaypb.Want_IDS, started: true, pos: endOf(suffix{invert(7), 1 << 63, 3}), quotas: []quota{{phase: unlimited}}},
	} {
		b := c.encode()
		req := ScanRequest{Cursor: b, Filters: make([]nostr.Filter, len(c.quotas)), Ascending: c.ascending, Want: c.want}
		d, err := decodeCursor(&req)
		if err != nil || string(d.encode()) != string(b) || d.want != c.want || d.more != c.more || d.unsure != c.unsure {
			t.Errorf("%+v became %+v, %v", c, d, err)
		}
		for what, change := range map[string]func(*ScanRequest){
			"for another number of filters": func(r *ScanRequest) { r.Filters = append(r.Filters, nostr.Filter{}) },
			"for the other direction":       func(r *ScanRequest) { r.Ascending = !r.Ascending },
			"for another purpose":           func(r *ScanRequest) { r.Want = (r.Want + 1) % 3 },
		} {
			other := req
			change(&other)
			if _, err := decodeCursor(&other); !errors.Is(err, ErrCursor) {
				t.Errorf("cursor %s: %v", what, err)
			}
		}
		for i := range b {
			bad := req
			bad.Cursor = append([]byte(nil), b...)
			bad.Cursor[i] ^= 0x10
			if _, err := decodeCursor(&bad); !errors.Is(err, ErrCursor) {
				t.Errorf("cursor with a changed byte %d: %v", i, err)
			}
			bad.Cursor = b[:i]
			if _, err := decodeCursor(&bad); !errors.Is(err, ErrCursor) {
				t.Errorf("cursor cut at %d: %v", i, err)
			}
		}
	}
}

// FuzzCursor scans with cursors that have a right checksum and anything before
// it. A scan must fail or get on, never panic, and never yield what the filters
// do not match.
func FuzzCursor(f *testing.F) {
	s := openMem(f, Options{})
	for i := range byte(20) {
		commit(f, s, incomingOf(made(i, nostr.Kind(i%2+1), int64(i/3), "")))
	}
	v, err := s.View()
	if err != nil {
		f.Fatal(err)
	}
	defer v.Close()
	filters := []nostr.Filter{{Kinds: []nostr.Kind{1}, Limit: nostr.NoLimit}, {Authors: []nostr.PubKey{{9}}, Limit: 3}, {Limit: 2}}
	filters[2].Kinds = []nostr.Kind{1}
	for _, asc := range []bool{false, true} {
		for want := range relaypb.Want(3) {
			res, err := v.Scan(ScanRequest{Filters: filters, Want: want, MaxBytes: 1, MaxRows: 1, Ascending: asc})
			if err != nil {
				f.Fatal(err)
			}
			f.Add(res.Cursor[:len(res.Cursor)-4], asc, int(want))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, ascending bool, want int) {
		cursor := binary.BigEndian.AppendUint32(append([]byte(nil), body...), crc32.ChecksumIEEE(body))
		req := ScanRequest{Filters: filters, Want: relaypb.Want(uint(want) % 3), Cursor: cursor, Ascending: ascending, Capped: []int{2}, MaxTime: time.Hour}
		res, err := v.Scan(req)
		if n := len(res.Events) + len(res.IDs)/IDLen + int(res.Count); err == nil && (!res.Done || n > 10) || err != nil && !errors.Is(err, ErrCursor) {
			t.Fatalf("%d events, done %v, %v", n, res.Done, err)
		}
	})
}
