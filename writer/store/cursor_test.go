package store

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"testing"
	"time"

	"rhea/proto/nostr"
)

func TestCursorRoundTrip(t *testing.T) {
	for _, c := range []cursor{
		{},
		{limits: []int{-1, 0, 1, math.MaxInt - 1}},
		{ascending: true, started: true, pos: position{math.MaxInt64, nostr.EventID{1, 31: 2}}, limits: []int{5}},
	} {
		b := c.encode()
		d, err := decodeCursor(b, len(c.limits), c.ascending)
		if err != nil || string(d.encode()) != string(b) {
			t.Errorf("%+v became %+v, %v", c, d, err)
		}
		if _, err := decodeCursor(b, len(c.limits)+1, c.ascending); !errors.Is(err, ErrCursor) {
			t.Errorf("cursor for another number of filters: %v", err)
		}
		if _, err := decodeCursor(b, len(c.limits), !c.ascending); !errors.Is(err, ErrCursor) {
			t.Errorf("cursor for the other direction: %v", err)
		}
		for i := range b {
			bad := append([]byte(nil), b...)
			bad[i] ^= 0x10
			if _, err := decodeCursor(bad, len(c.limits), c.ascending); !errors.Is(err, ErrCursor) {
				t.Errorf("cursor with a changed byte %d: %v", i, err)
			}
			if _, err := decodeCursor(b[:i], len(c.limits), c.ascending); !errors.Is(err, ErrCursor) {
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
	filters := []nostr.Filter{{Kinds: []nostr.Kind{1}, Limit: nostr.NoLimit}, {Authors: []nostr.PubKey{{9}}, Limit: 3}}
	for _, asc := range []bool{false, true} {
		res, err := v.Scan(ScanRequest{Filters: filters, MaxBytes: 1, Ascending: asc})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(res.Cursor[:len(res.Cursor)-4], asc)
	}
	f.Fuzz(func(t *testing.T, body []byte, ascending bool) {
		cursor := binary.BigEndian.AppendUint32(append([]byte(nil), body...), crc32.ChecksumIEEE(body))
		req := ScanRequest{Filters: filters, Cursor: cursor, Ascending: ascending, MaxTime: time.Hour}
		res, err := v.Scan(req)
		if err == nil && (!res.Done || len(res.Events) > 10) || err != nil && !errors.Is(err, ErrCursor) {
			t.Fatalf("%d events, done %v, %v", len(res.Events), res.Done, err)
		}
	})
}
