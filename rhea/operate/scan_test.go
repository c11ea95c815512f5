package operate

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// writer answers scans over n events, three a slice, until ctx ends.
func writer(ctx context.Context, b *bus.Bus, n uint64, asked *[]*relaypb.Scan) {
	inbox := bus.Listen(b, func() *relaypb.ScanInbox { return new(relaypb.ScanInbox) }, 0)
	inbox.Add(b.Space.Scan())
	defer inbox.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case msg := <-inbox.C():
			inbox.Each(msg, func(m *relaypb.ScanInbox) {
				ask := m.GetScan()
				*asked = append(*asked, ask)
				next := uint64(0)
				if len(ask.Cursor) > 0 {
					next = binary.BigEndian.Uint64(ask.Cursor)
				}
				reply := &relaypb.ScanReply{AsOf: 42}
				for ; next < n && len(reply.Events) < 3; next++ {
					reply.Events = append(reply.Events, fmt.Appendf(nil, "%d", next))
				}
				if reply.Done = next == n; !reply.Done {
					reply.Cursor = binary.BigEndian.AppendUint64(nil, next)
				}
				if strings.Contains(string(ask.Filters), "refused") {
					reply = &relaypb.ScanReply{Error: "invalid: refused"}
				}
				b.Reply(msg, reply)
			})
		}
	}
}

func memory(t *testing.T) (join func() *bus.Bus) {
	t.Helper()
	space, err := subject.New("test", 4)
	if err != nil {
		t.Fatal(err)
	}
	m := bus.NewMemory()
	return func() *bus.Bus { return m.Join(space, slog.New(slog.DiscardHandler)) }
}

// All slices come, also when the writer is not there yet. Newest first, each is
// asked for at the first one's moment; oldest first, at its own.
func TestScanSlices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		join := memory(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var asked []*relaypb.Scan
		go func() {
			time.Sleep(5 * time.Second) // synctest's clock
			writer(ctx, join(), 8, &asked)
		}()
		var out bytes.Buffer
		n, err := Scan(ctx, join(), Query{Filters: []string{`{"kinds":[1]}`, "{}"}, Ascending: true}, &out)
		if n != 8 || err != nil || out.String() != "0\n1\n2\n3\n4\n5\n6\n7\n" {
			t.Fatalf("%d, %v, %q", n, err, out.String())
		}
		for i, ask := range asked {
			if string(ask.Filters) != `{"kinds":[1]},{}` || !ask.Ascending || ask.AsOf != 0 {
				t.Fatalf("slice %d: %v", i, ask)
			}
		}
		asked = nil
		out.Reset()
		if n, err := Scan(ctx, join(), Query{Limit: 4}, &out); n != 4 || err != nil || out.String() != "0\n1\n2\n3\n" {
			t.Fatalf("%d, %v, %q", n, err, out.String())
		}
		for i, ask := range asked {
			if ask.Ascending || ask.AsOf != 42*uint64(min(i, 1)) {
				t.Fatalf("slice %d: %v", i, ask)
			}
		}
	})
}

func TestScanFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		join := memory(t)
		begin := time.Now()
		if _, err := Scan(t.Context(), join(), Query{}, io.Discard); err == nil || !strings.HasPrefix(err.Error(), "the writer does not answer: ") {
			t.Fatal(err)
		}
		if took := time.Since(begin); took < scanPatience || took > scanPatience+sliceTimeout+time.Second {
			t.Fatalf("given up after %s", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var asked []*relaypb.Scan
		go writer(ctx, join(), 8, &asked)
		synctest.Wait()
		if _, err := Scan(ctx, join(), Query{Filters: []string{`{"#x":["refused"]}`}}, io.Discard); err == nil || err.Error() != "invalid: refused" || len(asked) != 1 {
			t.Fatal(err, len(asked))
		}
		if _, err := Scan(ctx, join(), Query{Filters: []string{`{"kinds":[}`}}, io.Discard); err == nil || len(asked) != 1 {
			t.Fatal(err, len(asked))
		}
		r, w := io.Pipe()
		r.Close()
		if _, err := Scan(ctx, join(), Query{}, w); err != nil {
			t.Fatalf("a reader that has seen enough: %v", err)
		}
	})
}
