package gateway

import "time"

// lingerTime is how long a client may take to read the last word and to close its
// end.
const lingerTime = 2 * time.Second

// maxFrames is how many frames of a turn, and connections that they are for, a gateway
// keeps room for.
const maxFrames = 1 << 14

// Flush ends the turn: what has been said to clients is written, and the dead are
// forgotten. What follows from it for the bus is in the outbox then.
func (c *core) Flush() {
	t := &c.hub.turn
	for i := 0; i < len(t.dirty); i++ { // what has drained may lead to more
		c.flush(t.dirty[i])
	}
	for i := 0; i < len(t.dead); i++ {
		c.forget(t.dead[i])
	}
	clear(t.dirty)
	clear(t.dead)
	clear(t.frames)
	t.dirty, t.dead, t.frames, t.texts = t.dirty[:0], t.dead[:0], t.frames[:0], t.texts[:0]
	if cap(t.frames) > maxFrames {
		t.frames, t.dirty = nil, nil
	}
	if cap(t.texts) > 1<<20 {
		t.texts = nil
	}
	if cap(t.encode) > 4*maxEncode {
		t.encode = nil
	}
}

// Said is how many frames clients have been told in this turn.
func (c *core) Said() int { return len(c.hub.turn.frames) }

// flush writes a connection's frames.
func (c *core) flush(cn *conn) {
	t := &c.hub.turn
	buf := t.encode[:0]
	for i := cn.first; i != 0 && cn.state != dead; {
		f := &t.frames[i]
		buf = f.appendTo(buf)
		if i = f.next; i == 0 || len(buf) >= maxEncode {
			c.put(cn, buf)
			t.encode, buf = buf, buf[:0]
		}
	}
	cn.first, cn.last, cn.queued = 0, 0, 0
	c.drained(cn)
}

// put writes b, or as much of it as the network takes; the rest waits.
func (c *core) put(cn *conn, b []byte) {
	if cn.out == nil && cn.wire != nil {
		n, err := cn.wire.write(b)
		if err != nil && err != errWait {
			c.kill(cn, err.Error())
			return
		}
		c.metrics.bytesOut.Add(n)
		b = b[n:]
	}
	if len(b) == 0 {
		return
	}
	if cn.out != nil {
		cn.out.add(&c.hub.buffers, b)
		return
	}
	cn.out = &backlog{since: c.hub.tick}
	cn.out.add(&c.hub.buffers, b)
	if cn.wire != nil && !cn.timed {
		cn.timed = true
		c.alarms.set(c.now.Add(c.config.WriteTimeout), alarm{aboutBacklog, uint64(cn.id)})
	}
	c.listen(cn) // which may be the connection's end
}

// writable writes what waits.
func (c *core) writable(cn *conn) {
	l := cn.out
	for l != nil && cn.state != dead {
		if l.from == len(l.buf) {
			if len(l.pong) == 0 {
				c.hub.buffers.give(l.buf)
				cn.out = nil
				cn.pinged = 0 // a ping that waited here is only now on its way
				c.listen(cn)
				break
			}
			l.buf, l.from, l.pong = append(l.buf[:0], l.pong...), 0, nil
		}
		n, err := cn.wire.write(l.buf[l.from:])
		if err == errWait {
			break
		}
		if err != nil {
			c.kill(cn, err.Error())
			return
		}
		c.metrics.bytesOut.Add(n)
		l.from += n
		l.since = c.hub.tick
	}
	c.drained(cn)
}

// drained does what waited for the network to take what was said: queries go on, and
// a connection whose last word is out ends, in a way that lets the client read it:
// closing while bytes of the client wait unread would reset the connection and
// destroy what is under way to it.
func (c *core) drained(cn *conn) {
	if cn.wire == nil || cn.state == dead {
		return
	}
	if cn.notify && cn.waiting() < queryBudget/2 {
		cn.notify = false
		c.fund(cn)
	}
	if cn.state == closing && cn.waiting() == 0 && !cn.shut {
		cn.shut = true
		cn.wire.shut()
		c.alarms.set(c.now.Add(lingerTime), alarm{aboutLinger, uint64(cn.id)})
	}
}

// checkBacklog cuts a client that has taken nothing of what waits for it for too long.
func (c *core) checkBacklog(cn *conn) {
	cn.timed = false
	if cn.out == nil || cn.state == dead {
		return
	}
	due := c.origin.Add(time.Duration(cn.out.since)).Add(c.config.WriteTimeout)
	if !due.After(c.now) {
		c.metrics.slow.Inc()
		c.kill(cn, "it takes nothing")
		return
	}
	cn.timed = true
	c.alarms.set(due, alarm{aboutBacklog, uint64(cn.id)})
}

// listen has the network signal what is wanted of a connection now.
func (c *core) listen(cn *conn) {
	if cn.wire == nil || cn.state == dead {
		return
	}
	if err := cn.wire.want(cn.reads(), cn.out != nil); err != nil {
		c.kill(cn, err.Error())
	}
}

// hush has a connection read no further. What has been read is handled.
func (c *core) hush(cn *conn) {
	if cn.state == open && cn.wire != nil {
		cn.hushed = true
		cn.stopped = !cn.share.waits()
		c.listen(cn)
	}
}
