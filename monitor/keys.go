package monitor

import (
	"rhea/proto/nostr"
)

// internKeys keeps the keys of a reader and returns them for watch.keys.
func (c *core) internKeys(keys []nostr.PubKey) ref {
	if len(keys) == 0 {
		return 0
	}
	r := c.index.arena.alloc(1 + len(keys))
	block := c.index.arena.at(r)
	block[0] = uint32(len(keys))
	for i := range keys {
		block[1+i] = uint32(c.index.terms.intern(readers, keys[i][:], true))
	}
	return r
}

func (c *core) releaseKeys(r ref) {
	if r == 0 {
		return
	}
	for _, t := range c.keyTerms(r) {
		c.index.terms.release(ref(t))
	}
	c.index.arena.release(r)
}

func (c *core) keyTerms(r ref) []uint32 {
	block := c.index.arena.at(r)
	return block[1 : 1+block[0]]
}

// maySee says whether the watch may be sent a commit.
func (c *core) maySee(w *watch, e *commit) bool {
	if e.parties == nil {
		return true
	}
	if w.keys == 0 {
		return false
	}
	c.keys = c.keys[:0]
	for _, t := range c.keyTerms(w.keys) {
		c.keys = append(c.keys, nostr.PubKey(view[term](c.index.arena, ref(t)).value()))
	}
	return e.parties.Include(c.keys)
}
