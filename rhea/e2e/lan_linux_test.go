package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// lanEnv tells a test that it runs inside, where it may make networks.
const lanEnv = "RHEA_E2E_LAN"

// isolated runs a test once more in this program, in network, mount and process
// namespaces of its own: whatever it makes there ends with it, however it ends. It
// returns true inside, and skips the test where namespaces cannot be made. Prepare is
// what has to be done outside, before.
func isolated(t *testing.T, longest time.Duration, prepare func(*testing.T), needs ...string) bool {
	t.Helper()
	if os.Getenv(lanEnv) != "" {
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("only root makes network namespaces")
	}
	for _, program := range needs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	prepare(t)
	ctx, cancel := context.WithTimeout(t.Context(), longest+10*time.Second)
	defer cancel()
	again := exec.CommandContext(ctx, "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout="+longest.String())
	again.Env = append(os.Environ(), lanEnv+"=1", "RHEA_E2E_BIN="+bin)
	again.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:   syscall.CLONE_NEWPID,
		Unshareflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
		Pdeathsig:    syscall.SIGKILL,
	}
	out, err := again.CombinedOutput()
	switch {
	case errors.Is(err, syscall.EPERM):
		t.Skipf("namespaces are not permitted here: %v", err)
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skipf("%s", out)
	default:
		t.Logf("%s", out)
	}
	return false
}

// lan is a network of machines around a switch, to which the test itself is connected.
type lan struct{ t *testing.T }

// newLAN makes the switch and names for the machines, which every process knows.
// Machine n, from 1, has the address 10.77.0.n.
func newLAN(t *testing.T, names map[string]int) *lan {
	l := &lan{t}
	must := func(what string, err error) {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	// The folder in which ip keeps the names of namespaces is this test's alone.
	must("mount /run", syscall.Mount("run", "/run", "tmpfs", 0, ""))
	hosts := filepath.Join(t.TempDir(), "hosts")
	text := "127.0.0.1 localhost\n"
	for name, n := range names {
		text += fmt.Sprintf("10.77.0.%d %s\n", n, name)
	}
	must("hosts", os.WriteFile(hosts, []byte(text), 0o644))
	must("mount /etc/hosts", syscall.Mount(hosts, "/etc/hosts", "", syscall.MS_BIND, ""))
	l.ip("link set lo up")
	l.ip("link add lan type bridge")
	l.ip("addr add 10.77.0.254/24 dev lan")
	l.ip("link set lan up")
	return l
}

// machine connects a machine.
func (l *lan) machine(name string, n int) {
	l.ip("netns add " + name)
	l.ip("link add name " + name + " type veth peer name eth0 netns " + name)
	l.ip("link set dev " + name + " master lan up")
	l.ip("-n " + name + " link set lo up")
	l.ip(fmt.Sprintf("-n %s addr add 10.77.0.%d/24 dev eth0", name, n))
	l.ip("-n " + name + " link set eth0 up")
}

// cut pulls a machine's cable out of the switch, and mend puts it back.
func (l *lan) cut(name string)  { l.ip("link set dev " + name + " down") }
func (l *lan) mend(name string) { l.ip("link set dev " + name + " up") }

func (l *lan) ip(args string) {
	l.t.Helper()
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		l.t.Fatalf("ip %s: %v\n%s", args, err, out)
	}
}

// on is a command that runs on a machine.
func (l *lan) on(machine string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", machine}, args...)...)
}

// vigilant is connect for a client that notices within seconds that the other side
// cannot be reached.
func vigilant(url string) (*client, error) {
	const tcpUserTimeout = 18 // of linux/tcp.h: milliseconds without an acknowledgement
	return connectBy(net.Dialer{
		Timeout:         2 * time.Second,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 3},
		Control: func(_, _ string, c syscall.RawConn) (err error) {
			return errors.Join(c.Control(func(fd uintptr) {
				err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, 4000)
			}), err)
		},
	}, url)
}
