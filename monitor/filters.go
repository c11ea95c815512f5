package monitor

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"unsafe"

	"rhea/proto/nostr"
)

// filterSum identifies what a filter asks for: SHA-256, because two clients who
// could make two filters collide would read each other's subscription.
type filterSum [sha256.Size]byte

// intern returns the live filter that asks for what f asks for, making it when it
// is the first. Its limit and the order of its tag conditions do not count.
func (c *core) intern(f nostr.Filter) *liveFilter {
	f.Limit = nostr.NoLimit
	slices.SortFunc(f.Tags, func(a, b nostr.TagFilter) int { return cmp.Compare(a.Name, b.Name) })
	for i := range f.Tags {
		if values := f.Tags[i].Values; len(values) > 0 {
			f.Tags[i].First = values[0]
		}
	}
	c.scratch = f.AppendJSON(c.scratch[:0])
	sum := filterSum(sha256.Sum256(c.scratch))
	if known := c.filters[sum]; known != nil {
		known.users++
		return known
	}
	made := &liveFilter{filter: f, sum: sum, cost: cost(&f), users: 1}
	c.filters[sum] = made
	c.bytes += made.cost
	return made
}

// release takes note that one watch less has f, and forgets a filter that none
// has any more.
func (c *core) release(f *liveFilter) {
	if f.users--; f.users == 0 {
		delete(c.filters, f.sum)
		c.bytes -= f.cost
	}
}

// cost estimates the memory of a live filter: itself, its entry in the map, its
// values, and a posting of each value of the field it is indexed under.
func cost(f *nostr.Filter) int {
	const (
		mapEntry = 64
		posting  = 32 // a place in a map, and in a list
	)
	n := int(unsafe.Sizeof(liveFilter{})) + mapEntry
	n += len(f.IDs)*(len(nostr.EventID{})+posting) + len(f.Authors)*(len(nostr.PubKey{})+posting) + 2*len(f.Kinds)
	for _, t := range f.Tags {
		n += int(unsafe.Sizeof(t))
		for _, v := range t.Values {
			n += int(unsafe.Sizeof(v)) + len(v.Raw()) + posting
		}
	}
	return n
}
