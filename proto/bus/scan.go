package bus

import (
	"context"

	"rhea/proto/relaypb"
)

// Scan asks whoever serves the store for a slice. An error means that there is no
// answer; a ScanReply's own error is one.
func (b *Bus) Scan(ctx context.Context, m *relaypb.Scan) (*relaypb.ScanReply, error) {
	reply := new(relaypb.ScanReply)
	in := &relaypb.ScanInbox{Body: &relaypb.ScanInbox_Scan{Scan: m}}
	if err := b.Request(ctx, b.Space.Scan(), in, reply); err != nil {
		return nil, err
	}
	return reply, nil
}
