package store

import (
	"slices"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
)

// phase is what a query still does for one filter. It only ever goes down.
type phase byte

const (
	ended     phase = iota // nothing
	looking                // the limit is used up: one more match would be one that is missing
	tying                  // the limit is used up: the rest of its last second is returned too
	limited                // returns what matches, up to the limit
	unlimited              // returns what matches
)

// quota is what a filter may still yield.
type quota struct {
	phase phase
	left  int // events, at least 1; while tying or limited
}

func (u quota) yields() bool { return u.phase >= tying }

// firstQuotas returns the quotas that a query begins with, and whether it cannot
// turn out complete: a filter that asks for no stored events is not looked into.
func firstQuotas(req *ScanRequest) (quotas []quota, unsure bool) {
	quotas = make([]quota, len(req.Filters))
	for i := range req.Filters {
		f := &req.Filters[i]
		switch {
		case f.Impossible():
		case f.Limit < 0 || req.Want != relaypb.Want_EVENTS:
			quotas[i] = quota{phase: unlimited}
		case f.Limit == 0:
			unsure = true
		default:
			quotas[i] = quota{limited, f.Limit}
		}
	}
	return quotas, unsure
}

// wanted is how many events may still come, maxBatch at most.
func (c *cursor) wanted() int {
	sum := 0
	for _, u := range c.quotas {
		if u.phase == unlimited || u.left > maxBatch-sum {
			return maxBatch
		}
		sum += u.left
	}
	return sum
}

// yields reports whether events may still come.
func (c *cursor) yields() bool { return slices.ContainsFunc(c.quotas, quota.yields) }

// take accounts for an event that a filter has yielded. Ties is how many more of
// the same second the filter may yield when its limit is used up.
func (c *cursor) take(filter, ties int) {
	u := &c.quotas[filter]
	if u.left == 0 { // unlimited, or not asked
		return
	}
	if u.left--; u.left > 0 {
		return
	}
	if u.phase == limited && ties > 0 {
		*u = quota{tying, ties}
		return
	}
	c.lookOn(u)
}

// lookOn is what comes after a limit: to find out whether something is missing,
// unless that is known.
func (c *cursor) lookOn(u *quota) {
	*u = quota{phase: looking}
	if c.more {
		u.phase = ended
	}
}

// nextSecond ends the ties. All that is tying is so in the second of the last
// event, which is why no quota says which one.
func (c *cursor) nextSecond() {
	for i := range c.quotas {
		if c.quotas[i].phase == tying {
			c.lookOn(&c.quotas[i])
		}
	}
}

// missing notes that an event that matches is not returned.
func (c *cursor) missing() {
	c.more = true
	c.stopLooking()
}

// giveUp ends the search for what is missing.
func (c *cursor) giveUp() {
	if c.stopLooking() {
		c.unsure = true
	}
}

func (c *cursor) stopLooking() (any bool) {
	for i := range c.quotas {
		if c.quotas[i].phase == looking {
			c.quotas[i].phase, any = ended, true
		}
	}
	return any
}

// completeness says whether a query that is done has returned all (NIP-67).
func (c *cursor) completeness() relaypb.Completeness {
	switch {
	case c.want != relaypb.Want_EVENTS:
		return relaypb.Completeness_UNKNOWN
	case c.more:
		return relaypb.Completeness_MORE
	case c.unsure:
		return relaypb.Completeness_UNKNOWN
	}
	return relaypb.Completeness_FINISH
}

// toRead is how many events will be read for a filter, negative if all.
func (u quota) toRead() int {
	if u.phase == unlimited {
		return nostr.NoLimit
	}
	return u.left + 1
}
