package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
)

// A client that never reads while it is owed a gigabyte costs the relay a bounded
// amount of memory, and others do not notice.
func TestClientThatNeverReads(t *testing.T) {
	r := start(t, "up", "", nil)
	_, roster := onlooker(t, r.busURL())
	c := dial(t, r.url)
	const each, many, subs = 100 << 10, 100, 100 // 100 queries for 10 MB
	for i := range many {
		e := &nostr.Event{CreatedAt: int64(1_700_000_000 + i), Kind: 1, Content: strings.Repeat("x", each)}
		nostrtest.Sign(e, nostrtest.Secret(1))
		if o, err := c.publish(e.AppendJSON(nil), e.ID.String()); err != nil || !o.accepted {
			t.Fatal(o, err)
		}
	}
	latency := func() time.Duration {
		var all []time.Duration
		for i := range 200 {
			begin := time.Now()
			if got, err := c.query("q", `{"kinds":[1],"limit":1}`); err != nil || len(got) != 1 {
				t.Fatalf("query %d: %d events, %v", i, len(got), err)
			}
			all = append(all, time.Since(begin))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	quietLatency := latency()
	before := rss(t, r, roster)
	for range 5 {
		conn, _, _, err := ws.Dial(context.Background(), r.url)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for i := range subs {
			req := fmt.Sprintf(`["REQ","never %d",{"kinds":[1]}]`, i)
			conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
			frame := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(req))))
			if _, err := conn.Write(frame); err != nil {
				break // cut off already
			}
		}
	}
	loadedLatency := latency()
	after := rss(t, r, roster)
	t.Logf("5 clients that never read, owed 1 GB each: memory %d → %d MB, median latency of others %v → %v",
		before>>20, after>>20, quietLatency, loadedLatency)
	if grown := after - before; grown > 192<<20 {
		t.Errorf("memory grew by %d MB", grown>>20)
	}
	if loadedLatency > 5*quietLatency {
		t.Errorf("others wait %v in place of %v", loadedLatency, quietLatency)
	}
}

// A client that does not read its live events is cut off, and only it.
func TestSlowSubscriberIsCutOff(t *testing.T) {
	r := start(t, "up", "", nil)
	reader := dial(t, r.url)
	live, err := reader.subscribe("live", `{"kinds":[1]}`)
	if err == nil {
		err = reader.waitEOSE(live)
	}
	if err != nil {
		t.Fatal(err)
	}
	conn, _, _, err := ws.Dial(context.Background(), r.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write(ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(`["REQ","never read",{"kinds":[1]}]`)))))
	pub := dial(t, r.url)
	const many = 200 // of 100 KB: far more than the socket's and the relay's buffers
	for i := range many {
		e := &nostr.Event{CreatedAt: int64(1_700_000_000 + i), Kind: 1, Content: strings.Repeat("y", 100<<10)}
		nostrtest.Sign(e, nostrtest.Secret(1))
		if o, err := pub.publish(e.AppendJSON(nil), e.ID.String()); err != nil || !o.accepted {
			t.Fatal(o, err)
		}
	}
	if err := reader.wait(live, func() bool { return len(live.events) == many }); err != nil {
		t.Fatalf("the client that reads got %d of %d: %v", len(live.all()), many, err)
	}
	// The other's socket has been closed by the relay: after what is in its
	// buffers comes the end.
	conn.SetReadDeadline(time.Now().Add(patience))
	buf, total := make([]byte, 1<<20), 0
	for {
		n, err := conn.Read(buf)
		total += n
		if err != nil {
			if strings.Contains(err.Error(), "timeout") {
				t.Errorf("after %d bytes the connection is still open", total)
			}
			break
		}
	}
	if total >= many*100<<10 {
		t.Errorf("it was sent all %d bytes", total)
	}
}
