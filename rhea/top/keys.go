package top

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// keyPatience is for how many milliseconds a key is waited for before it is looked
// whether anybody still wants one.
const keyPatience = 100

// readKeys passes on what is typed until ctx ends or the terminal is gone; then it
// closes keys.
func readKeys(ctx context.Context, in *os.File, keys chan<- byte) {
	defer close(keys)
	typed := make([]byte, 64)
	for ctx.Err() == nil {
		wait := []unix.PollFd{{Fd: int32(in.Fd()), Events: unix.POLLIN}}
		n, err := unix.Poll(wait, keyPatience)
		if errors.Is(err, unix.EINTR) || err == nil && n == 0 {
			continue
		}
		if err != nil {
			return
		}
		if n, err = unix.Read(int(in.Fd()), typed); err != nil || n == 0 {
			return
		}
		if typed[0] == '\x1b' && n > 1 {
			continue // an arrow or the like: none means anything here
		}
		for _, k := range typed[:n] {
			select {
			case keys <- k:
			case <-ctx.Done():
				return
			}
		}
	}
}
