package gateway

import (
	"errors"

	"github.com/gobwas/ws"

	"rhea/gateway/deflate"
)

// packing is what messages are compressed and inflated with. Idle, it keeps nothing
// but the runs of events.
type packing struct {
	mode     deflate.Mode
	runs     *deflate.Runs // with deflate.Shared
	room     int           // of runs, in bytes
	packer   deflate.Packer
	inflater deflate.Inflater
}

// set changes how messages are compressed. Runs that are still wanted stay.
func (p *packing) set(c *Config) {
	room := int(c.DeflateCache)
	if c.Deflate != deflate.Shared {
		room = 0
	}
	if p.mode = c.Deflate; room == p.room {
		return
	}
	if p.room, p.runs = room, nil; room > 0 {
		p.runs = deflate.NewRuns(room)
	}
}

// unpack handles one message that is compressed.
func (c *core) unpack(cn *conn, payload []byte) *ending {
	most, p := c.hub.limits.maxMessage, &c.hub.buffers
	text, err := c.packing.inflater.Append(p.take(smallBuffer)[:0], payload, most)
	defer p.give(text)
	switch {
	case errors.Is(err, deflate.ErrTooLong):
		return tooLong(most)
	case err != nil:
		return &ending{ws.StatusInvalidFramePayloadData, "a message is not compressed as it says", false}
	}
	c.metrics.savedIn.Add(max(0, len(text)-len(payload)))
	return c.text(cn, text)
}

// minPacked is how long a message is for it to be compressed by itself. No event is
// shorter; of the other messages, those that are fit in a packet in any case.
const minPacked = 256

// pack returns a text frame of b, compressed, if that is wanted and shorter.
func (c *core) pack(cn *conn, b []byte) (f outgoing, shorter bool) {
	if !cn.packs || c.packing.mode != deflate.Message || len(b) < minPacked {
		return f, false
	}
	t := &c.hub.turn
	n := len(t.texts)
	if t.texts, shorter = c.packing.packer.Message(t.texts, b); !shorter {
		return f, false
	}
	f = outgoing{op: ws.OpText, body: t.texts[n:len(t.texts):len(t.texts)], packed: true}
	c.metrics.savedOut.Add(len(b) - len(f.body))
	return f, true
}

// parcel is an event on its way to connections.
type parcel struct {
	json  []byte
	run   []byte // nil as long as it is sent as it is
	asked int    // how often for its run, which is not made for the first
}

// event queues an event for a subscription.
func (c *core) event(s *sub, p *parcel) {
	f := eventFrame(s.prefix(), p.json)
	if s.conn.packs {
		f = c.packEvent(s, p, f)
	}
	c.queue(s.conn, f)
}

// packEvent compresses the frame of an event, if that is wanted and shorter.
func (c *core) packEvent(s *sub, p *parcel, plain outgoing) outgoing {
	switch c.packing.mode {
	case deflate.Message:
		c.scratch = append(append(append(c.scratch[:0], s.prefix()...), p.json...), ']')
		if f, shorter := c.pack(s.conn, c.scratch); shorter {
			return f
		}
	case deflate.Shared:
		if p.run == nil && p.asked < 2 {
			p.run = c.packing.runs.Of(p.json)
			p.asked++
		}
		if p.run != nil {
			f := outgoing{op: ws.OpText, head: s.prefix(), body: p.run, packed: true}
			c.metrics.savedOut.Add(plain.size() - f.size())
			return f
		}
	}
	return plain
}
