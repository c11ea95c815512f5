package stage

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

func TestHangup(t *testing.T) {
	has := true
	terminal := func() bool { return has }
	for _, c := range []struct {
		name          string
		now           func() bool
		before, after bool
		signal        os.Signal
		reload        bool
	}{
		{"a daemon", terminal, false, false, syscall.SIGHUP, true},
		{"a program in a terminal", terminal, true, true, syscall.SIGHUP, true},
		{"a terminal that is closed", terminal, true, false, syscall.SIGHUP, false},
		{"a terminal that came later", terminal, false, true, syscall.SIGHUP, true},
		{"no terminals here", nil, false, false, syscall.SIGHUP, true},
		{"another signal", terminal, false, false, syscall.SIGTERM, false},
	} {
		has = c.before
		h := NewHangup(c.now)
		has = c.after
		if got := h.Means(c.signal); got != c.reload {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestTerminal starts the program in a terminal, has it reload, and closes the
// terminal: then it stops.
func TestTerminal(t *testing.T) {
	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("whoever runs this has SIGHUP ignored, which the program inherits")
	}
	master, slave := openTerminal(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "RHEA_TEST_PROGRAM=1")
	cmd.Stdin = slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer watchdog.Stop()
	if err := slave.Close(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	awaitWorking(t, lines)
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if !lines.Scan() || !strings.Contains(lines.Text(), "nothing to reload") {
		t.Errorf("it says %s", lines.Text())
	}
	if err := master.Close(); err != nil {
		t.Fatal(err)
	}
	if !lines.Scan() || !strings.Contains(lines.Text(), "because=hangup") {
		t.Errorf("it says %s", lines.Text())
	}
	for lines.Scan() {
		t.Log(lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

// openTerminal returns both ends of a new terminal.
func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals: ", err)
	}
	var number, unlocked int32
	for request, value := range map[uintptr]*int32{syscall.TIOCGPTN: &number, syscall.TIOCSPTLCK: &unlocked} {
		if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), request, uintptr(unsafe.Pointer(value))); e != 0 {
			t.Skip("no terminals: ", e)
		}
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals: ", err)
	}
	return master, slave
}
