package bus

import "google.golang.org/protobuf/proto"

// Overhear returns an inbox for bus messages of every kind, which are taken as they
// are or apart with Split: for whoever records or shows what others say to each
// other. Its subjects may have wildcards; Each is not for it.
func Overhear(b *Bus, capacity int) *Inbox[proto.Message] {
	return Listen[proto.Message](b, nil, capacity)
}
