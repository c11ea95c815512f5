package store

import (
	"testing"
	"time"

	"rhea/proto/nostr"
)

// A slice ends in the middle of events that are kept back by their briefs, and the next
// one goes on from there.
func TestSiftedSlicesGetOn(t *testing.T) {
	const events = 5*maxSifted + 10
	s := openMem(t, Options{})
	var batch []Incoming
	for i := range events {
		e := made(1, 1, int64(i+2), "", nostr.Tag{"t", "x"})
		e.ID[1], e.ID[2] = byte(i>>8), byte(i)
		batch = append(batch, incomingOf(e))
	}
	oldest := made(2, 7, 1, "", nostr.Tag{"t", "x"})
	commit(t, s, append(batch, incomingOf(oldest))...)
	req := ScanRequest{MaxRows: 1, MaxTime: time.Hour, Filters: []nostr.Filter{{
		Kinds: []nostr.Kind{7}, Limit: 2, Tags: []nostr.TagFilter{{Name: 't', Values: []nostr.TagValue{nostr.NewTagValue("x")}}},
	}}}
	withView(t, s, func(v *View) {
		for slices := 1; ; slices++ {
			res, err := v.Scan(req)
			if err != nil {
				t.Fatal(err)
			}
			if res.Done {
				if len(res.Events) != 1 || slices < 2 || slices > 7 {
					t.Errorf("the %dth slice is the last and has %d events", slices, len(res.Events))
				}
				return
			}
			req.Cursor, req.AsOf = res.Cursor, res.AsOf
		}
	})
}
