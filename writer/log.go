package writer

import (
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// pieces cuts a commit's entries, which are dense, into messages for the log: as
// many entries in one as fit in a batch of the bus, one at least. Committed is when
// they were on disk.
func pieces(storeID uint64, entries []*relaypb.Entry, head subject.Seq, committed time.Time) []*relaypb.Entries {
	var out []*relaypb.Entries
	for len(entries) > 0 {
		n, size := 0, 0
		for n < len(entries) {
			size += relaypb.Size(entries[n])
			if n > 0 && size > bus.MaxBatch {
				break
			}
			n++
		}
		out = append(out, &relaypb.Entries{
			Store: storeID, From: entries[0].Seq, Next: entries[n-1].Seq + 1,
			Entries: entries[:n:n], Head: uint64(head), Committed: uint64(committed.UnixNano()),
		})
		entries = entries[n:]
	}
	return out
}
