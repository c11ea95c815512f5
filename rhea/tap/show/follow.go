package show

import (
	"context"
	"errors"
	"io"
	"time"
)

// lookEvery is how soon what has been added to a file is seen.
const lookEvery = 200 * time.Millisecond

// Follow returns a reader of a file that grows: at its end it waits for more, until ctx
// ends.
func Follow(ctx context.Context, file io.Reader) io.Reader { return following{ctx, file} }

type following struct {
	ctx  context.Context
	file io.Reader
}

func (f following) Read(b []byte) (int, error) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		n, err := f.file.Read(b)
		if n > 0 || err != nil && !errors.Is(err, io.EOF) {
			return n, err
		}
		select {
		case <-f.ctx.Done():
			return 0, io.EOF
		case <-look.C:
		}
	}
}
