package stage

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// NotifyEnv is the variable that names the socket on which whoever has started this
// process wants to hear of it: systemd, or rhea up. See sd_notify(3).
const NotifyEnv = "NOTIFY_SOCKET"

// What Notify says.
const (
	NotifyReady    = "READY=1"
	NotifyStopping = "STOPPING=1"
)

// Notify tells whoever has started this process, if he wants to hear it.
func Notify(lookupEnv func(string) (string, bool), state string) error {
	socket, _ := lookupEnv(NotifyEnv)
	if socket == "" {
		return nil
	}
	// Go knows that @ stands for the abstract namespace.
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err == nil {
		_, err = c.Write([]byte(state))
		_ = c.Close() // what was written is with the receiver
	}
	if err != nil {
		return fmt.Errorf("%s: %w", NotifyEnv, err)
	}
	return nil
}

// readyEvery is how often a process that starts looks whether it is ready.
const readyEvery = 25 * time.Millisecond

// notifyReady says, once, that the process is ready as /readyz has it, and returns
// then or when ctx ends.
func (s *shell) notifyReady(ctx context.Context, lookupEnv func(string) (string, bool), log *slog.Logger) {
	if socket, _ := lookupEnv(NotifyEnv); socket == "" {
		return
	}
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for len(s.failing(true)) > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
	if err := Notify(lookupEnv, NotifyReady); err != nil {
		log.Warn("nobody can be told that this process is ready", "err", err)
	}
}
