package stage

import (
	"os"
	"syscall"
)

// HasTerminal reports whether this process has a controlling terminal now.
func HasTerminal() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	_ = tty.Close() // nothing was said
	return true
}

// Hangup tells the two meanings of SIGHUP apart: a terminal that is gone, which
// ends what was started there, and a request to read the configuration again.
type Hangup struct {
	now func() bool
	had bool
}

// NewHangup is called when the process starts. Now is HasTerminal or like it, or nil:
// there never is one.
func NewHangup(now func() bool) Hangup { return Hangup{now: now, had: now != nil && now()} }

// Means reports whether a signal is SIGHUP and means that the configuration is to
// be read again. It does unless the process had a terminal and has lost it: the
// kernel takes it away before it sends the signal.
func (h Hangup) Means(s os.Signal) (reload bool) {
	return s == syscall.SIGHUP && (!h.had || h.now())
}
