package negentropy

import (
	"fmt"

	"rhea/proto/nostr"
)

// Client is the side that asks: it sends Open, answers each message of the
// server with Next until that is done, and has then learned every difference.
// It belongs to one goroutine.
//
// Each turn settles at least the first range that was open, if the server is
// honest. One that is not can go on for ever and list what it likes, so a caller
// bounds the turns and checks the events it is then given. Where a limit cuts
// messages, ranges that were settled are looked at again and an id may be found
// twice.
type Client struct {
	Have []nostr.EventID // what is in the set and the server lacks, as found so far
	Need []nostr.EventID // what the server has and the set lacks

	set     Set
	maxSize int
}

// NewClient makes the client's side of a session. Its messages are at most
// maxSize bytes long; 0 is no limit, and a limit below MinSize is MinSize. The
// set must not change during the session.
func NewClient(set Set, maxSize int) *Client { return &Client{set: set, maxSize: maxSize} }

// Open is the first message.
func (c *Client) Open() []byte {
	w := newWriter(nil, c.set, c.maxSize)
	w.split(0, c.set.Len(), Infinity())
	return w.buf
}

// Next reads a message of the server, adds to Have and Need, and appends the
// next message to dst. When nothing is left to ask, done is true and nothing is
// appended. With an error, an *Error if the message is malformed, nothing has
// been added.
func (c *Client) Next(dst, msg []byte) (reply []byte, done bool, err error) {
	if len(msg) > 0 && msg[0] != Version {
		return dst, false, fmt.Errorf("negentropy: the server speaks version byte %#x, not %#x", msg[0], Version)
	}
	have, need := len(c.Have), len(c.Need)
	w := newWriter(dst, c.set, c.maxSize)
	err = w.answer(msg, func(from, to int, s span) {
		c.compare(from, to, s)
		w.skipTo(s.end)
	})
	if err != nil {
		c.Have, c.Need = c.Have[:have], c.Need[:need]
		return dst, false, err
	}
	if w.size() == 1 {
		return dst, true, nil
	}
	return w.buf, false, nil
}

// compare finds the differences in a range that the server has listed.
func (c *Client) compare(from, to int, s span) {
	theirs := make(map[nostr.EventID]struct{}, s.count())
	for i := range s.count() {
		theirs[s.id(i)] = struct{}{}
	}
	for i := from; i < to; i++ {
		id := c.set.Item(i).ID
		if _, both := theirs[id]; both {
			delete(theirs, id)
		} else {
			c.Have = append(c.Have, id)
		}
	}
	for i := range s.count() {
		if id := s.id(i); len(theirs) > 0 {
			if _, missing := theirs[id]; missing {
				delete(theirs, id)
				c.Need = append(c.Need, id)
			}
		}
	}
}
