package trace

import (
	"context"
	"fmt"
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// scanTimeout is how long the writer may take to say whether it has an event.
const scanTimeout = 3 * time.Second

// introduce says what is known of the target at the start. It fails when nothing can
// come of following it.
func introduce(ctx context.Context, b *bus.Bus, view *bus.View, target Target, t *teller) error {
	if target.Event == "" {
		gateway := target.Conn.Gateway()
		if m := view.Member(gateway); m == nil || m.Stage != string(subject.Gateway) {
			return fmt.Errorf("no gateway %s is on the bus: connection %s is gone, or of another relay", gateway, target.Conn)
		}
		t.tell("following connection %s of gateway %s (shard %d), from now on; interrupt ends it", target.Conn, gateway, b.Space.ShardOf(target.Conn))
		return nil
	}
	switch {
	case len(target.Event) < 64:
		t.tell("waiting for an event whose id begins with %s; interrupt ends it", target.Event)
	case isStored(ctx, b, target.Event):
		t.tell("event %s is stored already; waiting for it to come again, or to be read; interrupt ends it", target.Event)
	default:
		t.tell("waiting for event %s, which is not stored; interrupt ends it", target.Event)
	}
	return nil
}

// isStored asks the writer, of whom no answer counts as no.
func isStored(ctx context.Context, b *bus.Bus, id string) bool {
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	reply, err := b.Scan(ctx, &relaypb.Scan{Filters: []byte(`{"ids":["` + id + `"]}`), MaxBytes: 1, Everything: true})
	return err == nil && len(reply.Events) > 0
}

// owner names who listens on a shard's inbox.
func owner(v *bus.View, st subject.Stage, key string) string {
	var sh subject.Shard
	if _, err := fmt.Sscanf(key, "%d", &sh); err == nil {
		if o := v.Owner(st, sh); o != 0 {
			return fmt.Sprintf("%s %s", st, o)
		}
	}
	return string(st)
}
