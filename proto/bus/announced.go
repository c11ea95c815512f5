package bus

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"rhea/proto/relaypb"
)

// memberStats is the number of Member's field stats.
const memberStats = 12

// readAnnounced reads an announcement without its stats: they are most of it, are for
// operators, and every process hears of every other one twice a second.
func readAnnounced(body []byte, into *relaypb.Member) error {
	brief := make([]byte, 0, 256)
	for rest := body; len(rest) > 0; {
		field, _, n := protowire.ConsumeField(rest)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if field != memberStats {
			brief = append(brief, rest[:n]...)
		}
		rest = rest[n:]
	}
	return proto.Unmarshal(brief, into)
}
