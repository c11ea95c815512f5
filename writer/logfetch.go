package writer

import (
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// fetch serves a range of the log. A range that begins behind the end is empty
// and stands at the end, which is how a follower asks where that is.
func (r *readers) fetch(ask *relaypb.LogFetch) *relaypb.LogInbox {
	view, err := r.store.View()
	if err != nil {
		return fetched(&relaypb.Entries{Store: r.store.ID(), Error: nostr.Failed.Text("the writer is stopping")})
	}
	defer r.closeView(view)
	from := min(ask.From, uint64(view.Seq())+1)
	entries, err := view.Log(subject.Seq(from), clampReply(ask.MaxBytes))
	if err != nil {
		r.troubles.complain(r.now(), r.log, "the log cannot be read", "from", from, "err", err)
		return fetched(&relaypb.Entries{Store: r.store.ID(), Error: nostr.Failed.Text("the log cannot be read")})
	}
	r.metrics.fetches.Inc()
	return fetched(entries)
}

func fetched(e *relaypb.Entries) *relaypb.LogInbox {
	return &relaypb.LogInbox{Body: &relaypb.LogInbox_Entries{Entries: e}}
}
