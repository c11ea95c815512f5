package e2e

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTerminal returns both ends of a new terminal of 100 by 24 characters.
func openTerminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { ours.Close() })
	fd := int(ours.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 100})
	}
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	return ours, theirs
}

// rhea top in a terminal: it draws the pipeline, answers keys, and leaves the terminal
// as it was, whether q ends it or a signal does.
func TestTopInATerminal(t *testing.T) {
	r := start(t, "solo", "", nil)
	for name, end := range map[string]func(terminal *os.File, p *os.Process) error{
		"q":       func(terminal *os.File, _ *os.Process) error { _, err := io.WriteString(terminal, "q"); return err },
		"SIGTERM": func(_ *os.File, p *os.Process) error { return p.Signal(syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := openTerminal(t)
			before, err := unix.IoctlGetTermios(int(theirs.Fd()), unix.TCGETS)
			if err != nil {
				t.Fatal(err)
			}
			screen := &logBuffer{}
			go io.Copy(screen, ours) // ends when the terminal is closed
			cmd := exec.Command(filepath.Join(bin, "rhea"), "top", "--data", r.data)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Process.Kill()
			await := func(text string) {
				t.Helper()
				for late := time.Now().Add(patience); !strings.Contains(screen.tail(1<<20), text); <-time.After(20 * time.Millisecond) {
					if time.Now().After(late) {
						t.Fatalf("%q does not come; the screen has %q", text, screen.tail(4000))
					}
				}
			}
			await("6 processes")
			await("reqworker")
			if _, err := io.WriteString(ours, "p"); err != nil {
				t.Fatal(err)
			}
			await("paused")
			if err := end(ours, cmd.Process); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("ended with %v", err)
			}
			await("\x1b[?1049l")
			after, err := unix.IoctlGetTermios(int(theirs.Fd()), unix.TCGETS)
			if err != nil || *after != *before {
				t.Errorf("the terminal is %+v, was %+v (%v)", after, before, err)
			}
		})
	}
}
