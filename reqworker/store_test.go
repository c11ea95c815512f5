package reqworker

import (
	"context"
	"sync"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
)

// reader is a store: it answers a slice, or, with an error, does not.
type reader interface {
	Scan(ctx context.Context, m *relaypb.Scan) (*relaypb.ScanReply, error)
}

// serveStore serves a store on the bus, each slice in a goroutine of its own, until
// the function that it returns is called.
func serveStore(b *bus.Bus, store reader) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	in := bus.Listen(b, func() *relaypb.ScanInbox { return new(relaypb.ScanInbox) }, 0)
	if err := in.Add(b.Space.Scan()); err != nil {
		panic(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		defer in.Close()
		for {
			select {
			case <-ctx.Done():
				return
			case msg := <-in.C():
				in.Each(msg, func(m *relaypb.ScanInbox) {
					running.Go(func() {
						if reply, err := store.Scan(ctx, m.GetScan()); err == nil {
							_ = b.Reply(msg, reply)
						}
					})
				})
			}
		}
	})
	return func() { cancel(); running.Wait() }
}
