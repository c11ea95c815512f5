// Package status tells the state of a running relay from what its processes
// announce on the bus: who is there, which shards nobody serves, how far the
// monitors are behind the writer, and the rates between two announcements. It
// asks nothing of any stage but the announcement that a Hello brings, so it can
// look at a relay that is in trouble.
package status

import (
	"context"
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
)

// Listening is how long announcements are gathered for the first report: two of
// each process, far enough apart to compute rates, come within it.
const Listening = 1600 * time.Millisecond

// Watch calls show with the state of the relay, first after Listening and then
// every interval, until ctx ends or show returns false.
func Watch(ctx context.Context, b *bus.Bus, interval time.Duration, show func(Report) bool) error {
	inbox := bus.Listen(b, func() *relaypb.Member { return new(relaypb.Member) }, 4096)
	defer inbox.Close()
	if err := inbox.Add(b.Space.Members()); err != nil {
		return err
	}
	if err := b.Publish(b.Space.Hello(), &relaypb.Hello{}); err != nil {
		return err
	}
	c := newCollector()
	next := time.NewTimer(Listening)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case msg := <-inbox.C():
			now := time.Now()
			inbox.Each(msg, func(m *relaypb.Member) { c.hear(m, now) })
		case now := <-next.C:
			c.bury(now)
			if !show(c.report(c.deploymentShards(b.Space.Shards()), now)) {
				return nil
			}
			next.Reset(interval)
		}
	}
}
