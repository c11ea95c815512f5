package natsd

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
)

// piecemeal gives a text piece by piece, then the end.
type piecemeal struct {
	rest []byte
	size int
}

func (p *piecemeal) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.size)], p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// gate takes a write when it is let through, and fails when it is shut.
type gate struct {
	open   chan bool
	got    []byte
	writes int
}

func (g *gate) Write(b []byte) (int, error) {
	if !<-g.open {
		return 0, errors.New("shut")
	}
	g.writes++
	g.got = append(g.got, b...)
	return len(b), nil
}

// TestGather has what comes while nobody takes anything go out in one piece, in order
// and to the end, and never holds more than it may.
func TestGather(t *testing.T) {
	for _, size := range []int{1 << 10, 5000, maxGather} {
		synctest.Test(t, func(t *testing.T) {
			text := make([]byte, 10*maxGather)
			for i := range text {
				text[i] = byte(i * 7 / 5)
			}
			g := new(gather)
			g.change.L = &g.mu
			out := &gate{open: make(chan bool)}
			var wg sync.WaitGroup
			wg.Go(func() { g.fill(&piecemeal{rest: text, size: size}) })
			ended := make(chan struct{})
			wg.Go(func() { g.drain(out); close(ended) })
			for open := true; open; {
				synctest.Wait()
				if len(g.waits) > maxGather {
					t.Fatalf("%d bytes wait", len(g.waits))
				}
				select {
				case out.open <- true:
				case <-ended:
					open = false
				}
			}
			wg.Wait()
			if !bytes.Equal(out.got, text) {
				t.Errorf("%d bytes of %d came, or others", len(out.got), len(text))
			}
			if most := 2 + len(text)/(maxGather-size+1); size < maxGather && out.writes > most {
				t.Errorf("%d writes of pieces of %d, want at most %d", out.writes, size, most)
			}
		})
	}
}

// TestGatherShut has the one who fills stop when nobody takes any more.
func TestGatherShut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := new(gather)
		g.change.L = &g.mu
		out := &gate{open: make(chan bool)}
		var wg sync.WaitGroup
		wg.Go(func() { g.fill(&piecemeal{rest: make([]byte, 10*maxGather), size: 1000}) })
		wg.Go(func() { g.drain(out) })
		synctest.Wait()
		out.open <- false
		wg.Wait() // synctest says so if it waits for ever
	})
}
