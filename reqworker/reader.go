package reqworker

import (
	"context"
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
)

// Reader reads the store, one slice at a time. An error means that there is no
// answer (nobody serves the store, or too slowly), and the slice may be asked for
// again; a ScanReply's own error is an answer. Scan is called from several
// goroutines.
type Reader interface {
	Scan(ctx context.Context, m *relaypb.Scan) (*relaypb.ScanReply, error)
}

// scanTimeout bounds how long a slice may take, to have lost an answer cost
// little: slices are short, and are asked for again.
const scanTimeout = 2 * time.Second

// busReader reads the store that is served on the bus.
type busReader struct{ bus *bus.Bus }

func (r busReader) Scan(ctx context.Context, m *relaypb.Scan) (*relaypb.ScanReply, error) {
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	return r.bus.Scan(ctx, m)
}
