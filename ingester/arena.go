package ingester

import "rhea/proto/nostr"

// The headers and texts of a batch stand in one piece of memory, which serves the
// next batch when this one is sent. It begins at arenaSize and is not kept when an
// unusual batch has made it larger than maxArena.
const (
	arenaSize = 64 << 10
	maxArena  = 1 << 20
)

// header makes the header of an event, valid until the next batch.
func (c *core) header(e *nostr.Event) nostr.Header {
	from := c.open()
	c.arena = nostr.AppendHeader(c.arena, e)
	return nostr.Header(c.cut(from))
}

// json makes the JSON of the event whose id was checked last, valid until the next
// batch.
func (c *core) json(e *nostr.Event) []byte {
	from := c.open()
	c.arena = c.canon.AppendJSON(c.arena, e)
	return c.cut(from)
}

// open returns where the arena goes on. What is nearly full is left to those who have
// parts of it, and a new one begun, since growing copies all that there is. A text that
// is larger than what is left has it grow all the same.
func (c *core) open() int {
	if len(c.arena) > cap(c.arena)*7/8 || cap(c.arena) == 0 {
		c.arena = make([]byte, 0, min(max(arenaSize, 2*cap(c.arena)), maxArena))
	}
	return len(c.arena)
}

func (c *core) cut(from int) []byte { return c.arena[from:len(c.arena):len(c.arena)] }

// recycle makes the memory of the last batch that of the next.
func (c *core) recycle() {
	if cap(c.arena) > maxArena {
		c.arena = nil
	}
	c.arena = c.arena[:0]
}
