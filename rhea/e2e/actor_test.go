package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// actor is a connection in a transcript: what it is told waits in the order in
// which it came.
type actor struct {
	conn      net.Conn
	frames    chan string
	challenge string
}

func newActor(url string) (*actor, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, early, _, err := ws.Dial(ctx, url)
	if err != nil {
		return nil, err
	}
	a := &actor{conn: conn, frames: make(chan string, 10_000)}
	go a.read(early)
	return a, nil
}

// read ends with a line that says why the connection ended.
func (a *actor) read(early *bufio.Reader) {
	defer close(a.frames)
	in := struct {
		io.Reader
		io.Writer
	}{a.conn, a.conn}
	if early != nil {
		in.Reader = io.MultiReader(io.LimitReader(early, int64(early.Buffered())), a.conn)
	}
	for {
		data, op, err := wsutil.ReadServerData(in)
		var end wsutil.ClosedError
		switch {
		case errors.As(err, &end):
			a.frames <- fmt.Sprintf("closed %d", end.Code)
			return
		case err != nil:
			a.frames <- "closed"
			return
		case op != ws.OpText:
			a.frames <- fmt.Sprintf("a frame of opcode %d", op)
		default:
			a.frames <- string(data)
		}
	}
}

func (a *actor) send(text string) error {
	f, err := ws.CompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(text))))
	if err == nil {
		_, err = a.conn.Write(f)
	}
	return err
}

// take returns the next frame if it comes in time.
func (a *actor) take(d time.Duration) (string, bool) {
	select {
	case f, ok := <-a.frames:
		return f, ok
	default:
	}
	select {
	case f, ok := <-a.frames:
		return f, ok
	case <-time.After(d):
		return "", false
	}
}

// close leaves what has not been read to the garbage collector: the reader never
// waits for longer than its channel is.
func (a *actor) close() {
	a.conn.Close()
	for range a.frames {
	}
}
