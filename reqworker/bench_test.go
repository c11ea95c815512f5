package reqworker

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"rhea/proto/bus"
	"rhea/proto/limits"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// readyReader has every answer ready: n events of 700 bytes.
type readyReader struct{ reply *relaypb.ScanReply }

func newReadyReader(n int) readyReader {
	reply := &relaypb.ScanReply{AsOf: 1, Done: true}
	for range n {
		reply.Events = append(reply.Events, make([]byte, 700))
	}
	return readyReader{reply}
}

func (r readyReader) Scan(context.Context, *relaypb.Scan) (*relaypb.ScanReply, error) {
	return r.reply, nil
}

func benchQueries() map[string]string {
	authors := make([]string, 200)
	for i := range authors {
		authors[i] = fmt.Sprintf("%064x", i)
	}
	return map[string]string{
		"id":   fmt.Sprintf(`{"ids":["%064x"]}`, 1),
		"feed": `{"authors":["` + strings.Join(authors, `","`) + `"],"kinds":[1,6],"limit":100}`,
	}
}

// BenchmarkCore tells what a query costs without the bus.
func BenchmarkCore(b *testing.B) {
	for name, filters := range benchQueries() {
		b.Run(name, func(b *testing.B) {
			c := newCore(7, DefaultConfig(), limits.Default(), policy.Default(), func(subject.ConnID) subject.Shard { return 0 }, newMetrics(stage.NewMetrics("reqworker")))
			now := time.Unix(0, 0)
			reader := newReadyReader(20)
			b.ReportAllocs()
			for i := range b.N {
				c.handle(now, &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Query{Query: &relaypb.Query{
					Conn: 1 << 32, Num: uint64(i), Filters: []byte(filters), Granted: 1 << 20,
				}}})
				a := c.flush().asks[0]
				c.read(now, a.query, reader.reply, nil)
				if len(c.flush().answers) != 1 {
					b.Fatal("no answer")
				}
			}
		})
	}
}

// BenchmarkStage tells what a query costs through the whole stage on the memory
// bus, with the store's part left out: one in flight, and many.
func BenchmarkStage(b *testing.B) {
	for _, flight := range []int{1, 64} {
		b.Run(fmt.Sprint(flight, " in flight"), func(b *testing.B) {
			m := bus.NewMemory()
			defer serveStore(m.Join(newSpace(b), quiet), newReadyReader(20))()
			ctx, cancel := context.WithCancel(b.Context())
			env := stage.Env{Bus: m.Join(newSpace(b), quiet), Log: quiet, Metrics: stage.NewMetrics("reqworker"), Limits: limits.Default()}
			done := make(chan error, 1)
			go func() { done <- Run(ctx, DefaultConfig(), env) }()
			g := m.Join(newSpace(b), quiet)
			roster := bus.NewRoster(g, subject.Gateway, "", nil)
			rosterDone := make(chan error, 1)
			go func() { rosterDone <- roster.Run(ctx) }()
			for changes := roster.Changes(); roster.View().Owner(subject.Reqworker, 0) == 0; {
				<-changes
			}
			in := bus.Listen(g, func() *relaypb.OutInbox { return new(relaypb.OutInbox) }, 0)
			if err := in.Add(g.Space.Out(g.Instance)); err != nil {
				b.Fatal(err)
			}
			filters := []byte(benchQueries()["id"])
			out := g.NewOutbox()
			sent, answered := 0, 0
			b.ReportAllocs()
			b.ResetTimer()
			for answered < b.N {
				for ; sent < b.N && sent-answered < flight; sent++ {
					out.Send(g.Space.Req(0), &relaypb.ReqInbox{Body: &relaypb.ReqInbox_Query{Query: &relaypb.Query{
						Conn: uint64(subject.MakeConnID(g.Instance, 0)), Num: uint64(sent + 1), Filters: filters, Granted: 1 << 20,
					}}})
				}
				out.Flush()
				in.Each(<-in.C(), func(m *relaypb.OutInbox) {
					if !m.GetPart().GetEose() {
						b.Error("not the end")
					}
					answered++
				})
			}
			b.StopTimer()
			cancel()
			<-done
			<-rosterDone
			in.Close()
		})
	}
}
