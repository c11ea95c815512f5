package reqworker

import (
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
)

// plan is how a query's filters go to the store.
type plan struct {
	filters []byte   // limits clamped, those that find nothing left out
	capped  []uint32 // those of them whose limit is the relay's own
	bare    bool     // none finds anything: only the Seq is wanted
	blind   bool     // one that could match was left out, since it wants nothing stored
	byID    bool     // every one names ids
}

// plan writes the filters for the store. What is left of them keeps its order,
// which the cursor relies on. A count knows no limits (NIP-45).
func (c *core) plan(filters []nostr.Filter, count bool) (p plan) {
	c.scratch = c.scratch[:0]
	planned := uint32(0)
	p.byID = true
	for i := range filters {
		f := &filters[i]
		p.byID = p.byID && f.IDs != nil
		if f.Impossible() {
			continue
		}
		switch {
		case count:
			f.Limit = nostr.NoLimit
		case f.Limit == 0:
			p.blind = true
			continue
		case f.Limit == nostr.NoLimit:
			f.Limit = c.defaultLimit
			p.capped = append(p.capped, planned)
		case f.Limit > c.maxLimit:
			f.Limit = c.maxLimit
			p.capped = append(p.capped, planned)
		}
		if planned > 0 {
			c.scratch = append(c.scratch, ',')
		}
		c.scratch = f.AppendJSON(c.scratch)
		planned++
	}
	if planned == 0 {
		p.filters, p.bare = []byte(`{"limit":0}`), true
	} else {
		p.filters = append(make([]byte, 0, len(c.scratch)), c.scratch...)
	}
	return p
}

// completeness says what the client is told about its answer (NIP-67), of which
// the store knows only what it was asked. What can match nothing has missed
// nothing.
func (p *plan) completeness(store relaypb.Completeness) relaypb.Completeness {
	switch {
	case p.blind:
		return relaypb.Completeness_UNKNOWN
	case p.bare:
		return relaypb.Completeness_FINISH
	}
	return store
}
