package replay

import "rhea/proto/relaypb"

// logbookBytes bounds the recent log that is kept for a stage that fetches ranges.
const logbookBytes = 32 << 20

// logbook is the log of the recording as far as it has been played: what the writer
// would answer to log.fetch. The Seqs are the recording's; the store is always the
// same one.
type logbook struct {
	store  uint64
	head   uint64
	recent []*relaypb.Entries // ascending
	bytes  int
}

// add takes the next piece of the log in, and makes it one of this store.
func (l *logbook) add(e *relaypb.Entries) {
	e.Store = l.store
	if e.Next <= l.head+1 {
		return // heard before
	}
	l.head = e.Next - 1
	e.Head = l.head
	l.recent = append(l.recent, e)
	l.bytes += size(e)
	for l.bytes > logbookBytes && len(l.recent) > 1 {
		l.bytes -= size(l.recent[0])
		l.recent[0] = nil
		l.recent = l.recent[1:]
	}
}

func size(e *relaypb.Entries) int {
	n := 0
	for _, entry := range e.Entries {
		n += len(entry.Header) + len(entry.Json) + 32*len(entry.Removed)
	}
	return n
}

// fetch answers for a range. Of Seqs that the recording does not have, or that are
// too long ago, it says that their events have left the store.
func (l *logbook) fetch(from uint64) *relaypb.LogInbox {
	out := &relaypb.Entries{Store: l.store, Head: l.head}
	out.From = min(from, l.head+1)
	out.Next = l.head + 1
	for _, e := range l.recent {
		if out.From >= e.Next {
			continue
		}
		if out.From < e.From {
			out.Next = e.From
			break
		}
		out.Next = e.Next
		for _, entry := range e.Entries {
			if entry.Seq >= out.From {
				out.Entries = append(out.Entries, entry)
			}
		}
		break
	}
	return &relaypb.LogInbox{Body: &relaypb.LogInbox_Entries{Entries: out}}
}
