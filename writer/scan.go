package writer

import (
	"errors"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
	"rhea/writer/store"
)

// maxReply bounds the events or ids in a reply, in bytes; one event may go beyond
// it, so that a reply with an event of the largest size still fits on the bus.
const maxReply = 512 << 10

// scanLimits are the most that any deployment allows in a REQ: what is asked
// here has passed the limits of this one.
func scanLimits() nostr.FilterLimits {
	return nostr.FilterLimits{MaxFilters: 1000, MaxValues: 1_000_000}
}

// scan serves one slice of a query.
func (r *readers) scan(ask *relaypb.Scan) *relaypb.ScanReply {
	filters, err := nostr.ParseFilters(ask.Filters, scanLimits())
	if err != nil {
		r.metrics.badRequests.Inc()
		return &relaypb.ScanReply{Error: nostr.Invalid.Text(err.Error())}
	}
	view, err := r.store.View()
	if err != nil {
		return &relaypb.ScanReply{Error: nostr.Failed.Text("the writer is stopping")}
	}
	defer r.closeView(view)
	start, rules := time.Now(), r.rules.Load()
	res, err := view.Scan(store.ScanRequest{
		Filters: filters, Want: ask.Want, Cursor: ask.Cursor, AsOf: subject.Seq(ask.AsOf), Ascending: ask.Ascending,
		Access: rules.policy.Access(nostr.ParseKeys(ask.Keys)), Now: r.now().Unix(), Everything: ask.Everything,
		Capped: capped(ask), HLLOffset: int(ask.HllOffset),
		MaxBytes: clampReply(ask.MaxBytes), MaxTime: rules.slice,
	})
	switch {
	case errors.Is(err, store.ErrRequest):
		r.metrics.badRequests.Inc()
		return &relaypb.ScanReply{Error: nostr.Unsupported.Text(err.Error())}
	case errors.Is(err, store.ErrCursor), errors.Is(err, store.ErrBehind):
		r.metrics.badRequests.Inc()
		return &relaypb.ScanReply{Error: nostr.Failed.Text(err.Error())}
	case err != nil:
		r.troubles.complain(r.now(), r.log, "a scan failed", "filters", len(filters), "err", err)
		return &relaypb.ScanReply{Error: nostr.Failed.Text("the store could not be read")}
	}
	r.metrics.scans.Inc()
	r.metrics.scanEvents.Add(len(res.Events))
	r.metrics.scanTime.Observe(time.Since(start).Seconds())
	reply := &relaypb.ScanReply{
		AsOf: uint64(res.AsOf), Events: res.Events, Ids: res.IDs, Expiring: res.Expiring, Count: res.Count,
		Cursor: res.Cursor, Done: res.Done, Completeness: res.Completeness, Hiding: res.Hiding,
	}
	if ask.Want == relaypb.Want_IDS {
		reply.Private = rules.private
	}
	if res.Registers != nil {
		reply.Hll = res.Registers[:]
	}
	return reply
}

// capped returns the filters whose limit is the relay's own.
func capped(ask *relaypb.Scan) []int {
	var filters []int
	for _, i := range ask.Capped {
		filters = append(filters, int(i))
	}
	return filters
}

// clampReply returns how many bytes a reply may hold when so many are asked for.
func clampReply(asked uint32) int {
	if asked == 0 || asked > maxReply {
		return maxReply
	}
	return int(asked)
}
