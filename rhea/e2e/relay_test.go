package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// bin is where the binaries under test are, built once a run. A test that runs
// itself again, elsewhere, hands it on.
var bin = os.Getenv("RHEA_E2E_BIN")

func TestMain(m *testing.M) {
	if bin != "" {
		os.Exit(m.Run())
	}
	code := func() int {
		dir, err := os.MkdirTemp("", "rhea-e2e-bin-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		args := append([]string{"build"}, strings.Fields(os.Getenv("RHEA_E2E_BUILD"))...)
		args = append(args, "-o", dir, "rhea/rhea/cmd/rhea")
		for _, st := range subject.Stages() {
			args = append(args, fmt.Sprintf("rhea/%s/cmd/rhea-%s", st, st))
		}
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "the binaries do not build: %v\n%s", err, out)
			return 1
		}
		bin = dir
		return m.Run()
	}()
	os.Exit(code)
}

// relay is a running relay.
type relay struct {
	t    testing.TB
	url  string // ws://
	data string
	cmd  *exec.Cmd
	logs *logBuffer
	done chan struct{} // closed when the process has ended
	err  error         // of its end; read after done
	env  []string
}

var readyLine = regexp.MustCompile(`ready on (ws://[^\s]+)`)

// start runs `rhea <mode>` on a random port with data in dir (a new one if
// empty) and waits for its ready line. Env are RHEA_… settings.
func start(t testing.TB, mode, dir string, args []string, env ...string) *relay {
	t.Helper()
	r, err := launch(t, mode, dir, args, env...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// launch is start for a relay that may not come up.
func launch(t testing.TB, mode, dir string, args []string, env ...string) (*relay, error) {
	if dir == "" {
		dir = t.TempDir()
	}
	r := &relay{t: t, data: dir, logs: &logBuffer{}, done: make(chan struct{}), env: env}
	r.cmd = exec.Command(filepath.Join(bin, "rhea"), append([]string{mode, "--listen", "127.0.0.1:0", "--data", dir}, args...)...)
	r.cmd.Env = append(append(os.Environ(), "RHEA_GATEWAY_MAX_PER_ADDRESS=10000"), env...)
	r.cmd.Stderr = r.logs
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if m := readyLine.FindStringSubmatch(lines.Text()); m != nil {
				ready <- m[1]
			}
		}
		io.Copy(io.Discard, out)
		r.err = r.cmd.Wait()
		close(r.done)
	}()
	t.Cleanup(func() {
		r.stop()
		if t.Failed() {
			t.Logf("log of rhea %s:\n%s", mode, r.logs.tail(20000))
		}
	})
	select {
	case r.url = <-ready:
		return r, nil
	case <-r.done:
		return nil, fmt.Errorf("rhea %s ended: %v\n%s", mode, r.err, r.logs.tail(5000))
	case <-time.After(60 * time.Second):
		return nil, fmt.Errorf("rhea %s is not ready after a minute\n%s", mode, r.logs.tail(5000))
	}
}

// stop ends the relay as an operator does, and fails the test if it does not end
// well.
func (r *relay) stop() {
	select {
	case <-r.done:
		return
	default:
	}
	r.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-r.done:
		if r.err != nil {
			r.t.Errorf("rhea ended with %v", r.err)
		}
	case <-time.After(60 * time.Second):
		r.t.Errorf("rhea does not end; killed")
		r.cmd.Process.Kill()
		<-r.done
	}
}

// rhea runs another rhea command against this relay and returns its output.
func (r *relay) rhea(stdin io.Reader, args ...string) (stdout, stderr string, err error) {
	cmd := exec.Command(filepath.Join(bin, "rhea"), append(args, "--data", r.data)...)
	var out, errs strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// busURL is where the relay's bus listens on loopback.
func (r *relay) busURL() string {
	b, err := os.ReadFile(filepath.Join(r.data, "bus.url"))
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// onlooker joins a bus without being a stage.
func onlooker(t testing.TB, url string) (*bus.Bus, *bus.Roster) {
	t.Helper()
	conf := bus.DefaultConfig()
	conf.URL = url
	return lookOn(t, conf)
}

// lookOn is onlooker for any bus.
func lookOn(t testing.TB, conf bus.Config) (*bus.Bus, *bus.Roster) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	b, err := bus.Dial(t.Context(), conf, bus.NewInstance(), "onlooker", log)
	if err != nil {
		t.Fatal(err)
	}
	roster := bus.NewRoster(b, "", "", nil)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { roster.Run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended; b.Close() })
	<-roster.Settled()
	return b, roster
}

// members returns the processes of a stage, waiting until there are n.
func members(t testing.TB, r *bus.Roster, st subject.Stage, n int) []*relaypb.Member {
	t.Helper()
	changes, patience := r.Changes(), time.After(20*time.Second)
	for {
		if m := r.View().Members(st); len(m) == n {
			return m
		}
		select {
		case <-changes:
		case <-patience:
			t.Fatalf("%d processes of %s, want %d", len(r.View().Members(st)), st, n)
		}
	}
}

// rounds is how often a fault test repeats its fault.
func rounds(short int) int {
	if n, err := strconv.Atoi(os.Getenv("RHEA_E2E_ROUNDS")); err == nil && n > 0 {
		return n
	}
	return short
}

// logBuffer keeps the last of what a relay logs.
type logBuffer struct {
	mu   sync.Mutex
	data []byte
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.data = append(l.data, b...)
	if len(l.data) > 4<<20 {
		l.data = append(l.data[:0:0], l.data[2<<20:]...)
	}
	return len(b), nil
}

func (l *logBuffer) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.data[max(0, len(l.data)-n):])
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
