package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"rhea/proto/nostr"
)

// patience is how long the tests wait for an answer that must come: more than
// the relay's own time-outs, so that a late `error:` is seen as one.
const patience = 40 * time.Second

// client is a connection that keeps every frame for whoever it is meant for.
type client struct {
	conn net.Conn
	from io.Reader // conn, behind what came with the handshake
	mu   sync.Mutex
	oks  map[string][]chan ok
	subs map[string]*subscription

	notices []string
	err     error
	gone    chan struct{}
	wmu     sync.Mutex
}

type ok struct {
	accepted bool
	text     string
}

// subscription is all that one subscription id was sent.
type subscription struct {
	mu     sync.Mutex
	change chan struct{} // receives after something has come
	events []nostr.EventID
	newest int64 // created_at of the events so far
	eose   int   // events before EOSE, -1 while it has not come
	closed string
	isOver bool
	onLive func(nostr.EventID)
}

func dial(t testing.TB, url string) *client {
	t.Helper()
	c, err := connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

func connect(url string) (*client, error) { return connectBy(net.Dialer{}, url) }

func connectBy(d net.Dialer, url string) (*client, error) {
	return connectWithin(10*time.Second, d, url)
}

func connectWithin(limit time.Duration, d net.Dialer, url string) (*client, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	conn, buffered, _, err := ws.Dialer{NetDial: d.DialContext}.Dial(ctx, url)
	if err != nil {
		return nil, err
	}
	return converser(conn, buffered), nil
}

// converser is the client of a socket whose handshake is done; buffered, which may be
// nil, holds what came with it.
func converser(conn net.Conn, buffered *bufio.Reader) *client {
	c := &client{conn: conn, from: conn, oks: map[string][]chan ok{}, subs: map[string]*subscription{}, gone: make(chan struct{})}
	if buffered != nil {
		c.from = buffered
	}
	go c.read()
	return c
}

func (c *client) close() {
	c.conn.Close()
	<-c.gone
}

// errGone says that the connection ended before an answer; errSilent that it did
// not, and no answer came either.
var (
	errGone   = errors.New("connection lost")
	errSilent = errors.New("nothing comes")
)

func (c *client) read() {
	defer func() {
		c.mu.Lock()
		for _, waiting := range c.oks {
			for _, w := range waiting {
				close(w)
			}
		}
		c.oks = nil // nobody waits any more
		c.mu.Unlock()
		c.conn.Close()
		close(c.gone)
	}()
	for {
		data, err := wsutil.ReadServerText(struct {
			io.Reader
			io.Writer
		}{c.from, c.conn})
		if err != nil {
			c.err = err
			return
		}
		c.frame(data)
	}
}

func (c *client) frame(data []byte) {
	var parts []json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil || len(parts) < 2 {
		c.mu.Lock()
		c.notices = append(c.notices, "not a frame: "+string(data))
		c.mu.Unlock()
		return
	}
	text := func(i int) (s string) {
		if i < len(parts) {
			json.Unmarshal(parts[i], &s)
		}
		return s
	}
	c.mu.Lock()
	sub := c.subs[text(1)]
	c.mu.Unlock()
	switch text(0) {
	case "OK":
		c.mu.Lock()
		defer c.mu.Unlock()
		id := text(1)
		if w := c.oks[id]; len(w) > 0 {
			w[0] <- ok{string(parts[2]) == "true", text(3)}
			if c.oks[id] = w[1:]; len(w) == 1 {
				delete(c.oks, id)
			}
		} else {
			c.notices = append(c.notices, "an OK too many: "+string(data))
		}
	case "NOTICE":
		c.mu.Lock()
		c.notices = append(c.notices, text(1))
		c.mu.Unlock()
	case "EVENT":
		var e struct {
			ID        string
			CreatedAt int64 `json:"created_at"`
		}
		json.Unmarshal(parts[2], &e)
		id, err := nostr.ParseEventID(e.ID)
		if err == nil && sub != nil {
			sub.take(func() { sub.events, sub.newest = append(sub.events, id), max(sub.newest, e.CreatedAt) })
			if sub.onLive != nil {
				sub.onLive(id)
			}
		}
	case "EOSE":
		if sub != nil {
			sub.take(func() { sub.eose = len(sub.events) })
		}
	case "CLOSED":
		if sub != nil {
			sub.take(func() { sub.closed, sub.isOver = text(2), true })
		}
	}
}

func (s *subscription) take(f func()) {
	s.mu.Lock()
	f()
	s.mu.Unlock()
	select {
	case s.change <- struct{}{}:
	default:
	}
}

// send writes one text frame.
func (c *client) send(text []byte) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.conn.SetWriteDeadline(time.Now().Add(patience))
	// In one piece, because the reader answers pings on the same socket.
	frame, err := ws.CompileFrame(ws.MaskFrame(ws.NewTextFrame(text)))
	if err != nil {
		return err
	}
	_, err = c.conn.Write(frame)
	c.conn.SetWriteDeadline(time.Time{}) // the pongs that the reader writes have none
	if err != nil {
		return errGone
	}
	return nil
}

// publishAsync sends an EVENT; the channel gets its OK, or is closed when the
// connection ends first.
func (c *client) publishAsync(event []byte, id string) (<-chan ok, error) {
	w := make(chan ok, 1)
	c.mu.Lock()
	if c.oks == nil {
		c.mu.Unlock()
		return nil, errGone
	}
	c.oks[id] = append(c.oks[id], w)
	c.mu.Unlock()
	return w, c.send(bytes.Join([][]byte{[]byte(`["EVENT",`), event, []byte(`]`)}, nil))
}

func (c *client) publish(event []byte, id string) (ok, error) {
	w, err := c.publishAsync(event, id)
	if err != nil {
		return ok{}, err
	}
	select {
	case o, answered := <-w:
		if !answered {
			return ok{}, errGone
		}
		return o, nil
	case <-time.After(patience):
		return ok{}, fmt.Errorf("no OK for %s", id)
	}
}

// subscribe opens a subscription; filters are JSON objects.
func (c *client) subscribe(id string, filters ...string) (*subscription, error) {
	s := &subscription{change: make(chan struct{}, 1), eose: -1}
	return s, c.open(id, s, filters...)
}

func (c *client) open(id string, s *subscription, filters ...string) error {
	c.mu.Lock()
	c.subs[id] = s
	c.mu.Unlock()
	return c.send([]byte(fmt.Sprintf(`["REQ",%s,%s]`, mustJSON(id), strings.Join(filters, ","))))
}

func (c *client) unsubscribe(id string) error {
	return c.send([]byte(fmt.Sprintf(`["CLOSE",%s]`, mustJSON(id))))
}

// wait blocks until cond holds, the subscription or connection is over, or
// patience ends.
func (c *client) wait(s *subscription, cond func() bool) error {
	late := time.After(patience)
	for {
		s.mu.Lock()
		met, over, why := cond(), s.isOver, s.closed
		s.mu.Unlock()
		if met {
			return nil
		}
		if over {
			return errors.New("CLOSED " + why)
		}
		select {
		case <-s.change:
		case <-c.gone:
			return errGone
		case <-late:
			return errSilent
		}
	}
}

func (c *client) waitEOSE(s *subscription) error {
	return c.wait(s, func() bool { return s.eose >= 0 })
}

// query returns the stored events of filters, in the order they came.
func (c *client) query(id string, filters ...string) ([]nostr.EventID, error) {
	s, err := c.subscribe(id, filters...)
	if err != nil {
		return nil, err
	}
	if err := c.waitEOSE(s); err != nil {
		return nil, err
	}
	if err := c.unsubscribe(id); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events[:s.eose], nil
}

// all returns a copy of what has come so far.
func (s *subscription) all() []nostr.EventID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]nostr.EventID(nil), s.events...)
}

func (c *client) noticed() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.notices...)
}
