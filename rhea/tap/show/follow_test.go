package show

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rhea/rhea/tap"
)

// growing is a file that a recorder appends to.
type growing struct {
	mu     sync.Mutex
	text   bytes.Buffer
	broken error
}

func (g *growing) Read(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.broken != nil && g.text.Len() == 0 {
		return 0, g.broken
	}
	return g.text.Read(p)
}

func (g *growing) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text.Write(p)
}

// Who follows a recording sees what is added, block by block, until it ends; or until he
// has seen enough.
func TestFollow(t *testing.T) {
	whole := recording(t)
	for _, ends := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			file := &growing{}
			var text strings.Builder
			done := make(chan error, 1)
			go func() {
				r, err := tap.NewReader(Follow(ctx, file))
				if err == nil {
					_, err = Run(r, &text, Options{Live: true})
				}
				done <- err
			}()
			for _, piece := range [][]byte{whole[:5], whole[5:300], whole[300 : len(whole)-1]} {
				file.Write(piece)
				time.Sleep(2 * lookEvery)
				synctest.Wait()
			}
			if !strings.Contains(text.String(), "# recorded from") || len(done) > 0 {
				t.Fatalf("after most of it: %q", text.String())
			}
			if ends {
				file.Write(whole[len(whole)-1:])
				time.Sleep(2 * lookEvery)
				if err := <-done; err != nil || !strings.Contains(text.String(), "ended: interrupted") {
					t.Errorf("%v\n%s", err, text.String())
				}
				return
			}
			stop()
			if _, cut := errors.AsType[*tap.CutError](<-done); !cut {
				t.Error("what was not written yet is taken for whole")
			}
		})
	}
	if _, err := Follow(t.Context(), &growing{broken: io.ErrClosedPipe}).Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}
