package replay

import (
	"fmt"
	"testing"

	"rhea/proto/relaypb"
	"rhea/rhea/tap"
	"rhea/rhea/tap/decode"
)

// TestDirects puts the events of direct slices back into their replies, and holds no
// more than it may of slices whose replies never come.
func TestDirects(t *testing.T) {
	d := newDirects()
	ask := func(num uint64) {
		scan := &relaypb.Scan{Direct: &relaypb.Direct{Gateway: 7, Num: num, Worker: 9}}
		d.whole(decode.Said{}, tap.Message{Reply: fmt.Sprint(num)}, &relaypb.ScanInbox{Body: &relaypb.ScanInbox_Scan{Scan: scan}})
	}
	part := func(num uint64, event []byte) {
		p := &relaypb.Part{Num: num, Worker: 9, Events: [][]byte{event}}
		d.whole(decode.Said{Key: "00000007"}, tap.Message{}, &relaypb.OutInbox{Body: &relaypb.OutInbox_Part{Part: p}})
	}
	reply := func(num uint64) [][]byte {
		r := &relaypb.ScanReply{Done: true, Sent: &relaypb.Sent{Events: 1}}
		return d.whole(decode.Said{}, tap.Message{Subject: fmt.Sprint(num)}, r).(*relaypb.ScanReply).Events
	}
	ask(0) // whose reply the recorder has missed
	ask(1)
	ask(2)
	part(2, []byte("two"))
	part(1, []byte("one"))
	if one, two := reply(1), reply(2); fmt.Sprintf("%s %s", one, two) != "[one] [two]" {
		t.Errorf("got %s and %s", one, two)
	}
	large := make([]byte, shelfBytes/4)
	for num := uint64(10); num < 20; num++ {
		ask(num)
		part(num, large)
		if d.bytes > shelfBytes {
			t.Fatalf("%d bytes are held", d.bytes)
		}
	}
	if reply(15) != nil || len(reply(19)) != 1 {
		t.Error("not the oldest were forgotten")
	}
	for num := uint64(100); num < 100+2*shelfReplies; num++ {
		ask(num)
	}
	if len(d.slots) > shelfReplies || len(d.parts) > shelfReplies || len(d.order) > shelfReplies || d.bytes != 0 {
		t.Errorf("%d slices, %d parts, %d in order, %d bytes", len(d.slots), len(d.parts), len(d.order), d.bytes)
	}
}
