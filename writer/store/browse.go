package store

import (
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
)

// A browse reads the events of many authors from the index of all events, newest first,
// by its briefs, rather than seek each author's newest: 0.1 to 0.5 us an entry, where a
// seek takes 2. That is several times as fast if those authors have written much of what
// is new, as on the relay of a community. If they have not, the browse is given up when
// it has cost about a tenth of the seeks, and the slice goes on by these.
type browse struct {
	want   int // entries to find
	budget int // entries to look at, at the most
	found  int
	seen   int
	last   suffix // found
}

// How many authors, or authors and kinds, must be asked for before a browse is tried; how
// many entries it looks at for each seek that it spares, and in all; and the part of
// these after which it must be on its way to find all that is wanted.
const (
	minBrowse     = 32
	browseForSeek = 5
	maxBrowse     = 20_000
	browseTrial   = 10
)

// tryBrowse returns the browse that takes the place of an access for so many events, nil
// if the access is the better way, or was found to be by this slice.
func (q *query) tryBrowse(filter int, a access) *browse {
	f := &q.req.Filters[filter]
	want := q.cur.quotas[filter].toRead()
	budget := min(a.values*browseForSeek, maxBrowse)
	if a.index != spaceAuthor && a.index != spaceAuthorKind {
		budget = maxBrowse
	}
	switch {
	case q.browsed[filter], q.req.Want != relaypb.Want_EVENTS, f.IDs != nil, f.Tags != nil,
		len(f.Authors)*max(len(f.Kinds), 1) < minBrowse, want == nostr.NoLimit, want > budget:
		return nil
	}
	q.browsed[filter] = true
	return &browse{want: want, budget: budget}
}

// goesOn reports whether the browse goes on to the entry that comes next. It does not end
// within a tie, lest what takes its place begin in one.
func (b *browse) goesOn(e suffix, brief []byte) bool {
	b.seen++
	slow := b.seen > b.budget || b.seen >= b.budget/browseTrial && b.found*b.budget < b.want*b.seen
	return len(brief) == authorBriefLen && !slow || e.tied(b.last)
}

// find notes that an entry was found.
func (b *browse) find(e suffix) {
	b.found++
	b.last = e
}

// ahead is how many entries to find the next time: not more than are wanted, since each
// may take a hundred to look at.
func (b *browse) ahead(ahead int) int { return max(min(ahead, b.want-b.found), minAhead) }
