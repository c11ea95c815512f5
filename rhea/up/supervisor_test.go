package up

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rhea/proto/stage"
	"rhea/proto/subject"
	"rhea/rhea/whole"
)

// roleEnv makes the test binary a child of a supervisor, or a supervisor.
const roleEnv = "RHEA_TEST_ROLE"

// lineEnv is an address that a child keeps a connection to, so that the test
// notices its end.
const lineEnv = "RHEA_TEST_LINE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		os.Exit(play(role))
	}
	goleak.VerifyTestMain(m)
}

// play is what a child does. It says on standard error that it runs, and lasts
// until a signal or the end of standard input.
func play(role string) int {
	st := os.Getenv("RHEA_TEST_STAGE")
	if len(os.Args) == 2 && os.Args[1] == "--print-config" {
		return 0
	}
	switch role {
	case "usage":
		fmt.Fprintln(os.Stderr, "rhea-x: --nonsense is no flag")
		return stage.ExitUsage
	case "panics":
		panic("a broken invariant")
	case "fails":
		fmt.Fprintf(os.Stderr, "2026-01-02T03:04:05.678Z INFO  %s/00000001 started\n", st)
		fmt.Fprintf(os.Stderr, "2026-01-02T03:04:05.678Z ERROR %s/00000001 failed err=\"the store is \\\"locked\\\"\"\n", st)
		return 1
	case "supervisor":
		return playSupervisor()
	}
	if address := os.Getenv(lineEnv); address != "" {
		if _, err := net.Dial("tcp", address); err != nil {
			return 1
		}
	}
	if role == "second fails" && started() == 2 {
		fmt.Fprintln(os.Stderr, "the second fails")
		return 1
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	if err := stage.Notify(os.LookupEnv, "STATUS=running\n"+stage.NotifyReady); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	fmt.Fprintf(os.Stderr, "running %d\n", os.Getpid())
	if role == "stubborn" {
		signal.Ignore(syscall.SIGTERM)
		fmt.Fprintln(os.Stderr, "deaf")
	}
	orphaned := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(orphaned)
	}()
	select {
	case <-signals:
		fmt.Fprintf(os.Stderr, "%s ends\n", st)
	case <-orphaned:
	}
	return 0
}

// startsEnv is a file by which a child counts its starts.
const startsEnv = "RHEA_TEST_STARTS"

// started returns how often a program has been started, this time included.
func started() int {
	f, err := os.OpenFile(os.Getenv(startsEnv), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := f.Write([]byte("x")); err != nil {
		panic(err)
	}
	info, err := f.Stat()
	if err != nil {
		panic(err)
	}
	return int(info.Size())
}

// playSupervisor keeps one child until it is killed itself.
func playSupervisor() int {
	s := supervisor(io.Discard, child1("waits", subject.Writer))
	s.Programs[0].Env = append(s.Programs[0].Env, lineEnv+"="+os.Getenv(lineEnv))
	if s.Run(context.Background()) != nil {
		return 1
	}
	return 0
}

func child1(role string, stage subject.Stage) Program {
	self, _ := os.Executable()
	return Program{Stage: stage, Name: string(stage), Path: self,
		Env: append(os.Environ(), roleEnv+"="+role, "RHEA_TEST_STAGE="+string(stage))}
}

func supervisor(output io.Writer, programs ...Program) *Supervisor {
	w := NewLockedWriter(output)
	return &Supervisor{
		Programs: programs, Log: slog.New(slog.NewTextHandler(w, nil)), Output: w, Drain: func(subject.Stage) time.Duration { return time.Minute },
		Ready: make(chan struct{}), Died: func(subject.Stage, int) {}, Changed: func() {},
	}
}

// watched runs a supervisor and returns its output by lines and its end.
func watched(t *testing.T, s *Supervisor, output *io.PipeReader) (lines <-chan string, ended <-chan error, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	end := make(chan error, 1)
	out := make(chan string, 1000)
	go func() {
		for sc := bufio.NewScanner(output); sc.Scan(); {
			t.Log(sc.Text())
			out <- sc.Text()
		}
		close(out)
	}()
	go func() { end <- s.Run(ctx) }()
	return out, end, cancel
}

// await reads lines up to one that contains text.
func await(t *testing.T, lines <-chan string, text string) string {
	t.Helper()
	for line := range lines {
		if strings.Contains(line, text) {
			return line
		}
	}
	t.Fatalf("no line has %q", text)
	return ""
}

func TestRestart(t *testing.T) {
	r, w := io.Pipe()
	s := supervisor(w, child1("waits", subject.Gateway))
	ready := make(chan struct{})
	close(ready)
	died := make(chan int, 100)
	s.Ready, s.Died = ready, func(_ subject.Stage, pid int) { died <- pid }
	counted := stage.NewMetrics("up")
	s.Deaths = CountDeaths(counted, s.Programs)
	lines, ended, stop := watched(t, s, r)
	before := 0
	for range 3 {
		var pid int
		line := await(t, lines, "running")
		if _, err := fmt.Sscanf(line[strings.Index(line, "running"):], "running %d", &pid); err != nil {
			t.Fatal(line, err)
		}
		if pid == before {
			t.Fatal("the same process")
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if got := <-died; got != pid {
			t.Fatalf("%d is said to have died, not %d", got, pid)
		}
		if line := await(t, lines, "started again"); !strings.Contains(line, "signal: killed") {
			t.Fatal(line)
		}
		before = pid
	}
	await(t, lines, "running")
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	w.Close()
	if n := counted.Snapshot()["deaths.gateway"]; n != 3 {
		t.Errorf("%v deaths are counted: want 3, and not the end that was asked for", n)
	}
}

// Each stage has ended before the next is asked to, the writer last.
func TestStopOrder(t *testing.T) {
	r, w := io.Pipe()
	var programs []Program
	for _, stage := range subject.Stages() {
		programs = append(programs, child1("waits", stage), child1("waits", stage))
	}
	s := supervisor(w, programs...)
	lines, ended, stop := watched(t, s, r)
	for range programs {
		await(t, lines, "running")
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	w.Close()
	var order []subject.Stage
	for line := range lines {
		// The child's line is foreign to a log, so it is wrapped into one.
		if _, rest, ok := strings.Cut(line, `msg="`); ok && strings.Contains(rest, " ends\"") {
			stage, _, _ := strings.Cut(rest, " ")
			order = append(order, subject.Stage(stage))
		}
	}
	var want []subject.Stage
	for _, stage := range whole.StopOrder() {
		want = append(want, stage, stage)
	}
	if !slices.Equal(order, want) {
		t.Fatalf("order %v, want %v", order, want)
	}
}

func TestCannotStart(t *testing.T) {
	missing := child1("waits", subject.Gateway)
	missing.Path += ".missing"
	for _, c := range []struct {
		program Program
		want    string
		starts  int
	}{
		{child1("usage", subject.Gateway), "gateway cannot start: rhea-x: --nonsense is no flag (exit status 64)", 1},
		{child1("fails", subject.Gateway), `gateway cannot start: the store is "locked" (exit status 1)`, attempts},
		{child1("panics", subject.Gateway), "gateway cannot start: panic: a broken invariant", attempts},
		{missing, "no such file", 0},
	} {
		var output bytes.Buffer
		s := supervisor(&output, child1("waits", subject.Writer), c.program)
		starts := 0
		s.Died = func(stage subject.Stage, pid int) {
			if stage == subject.Gateway && pid != 0 {
				starts++
			}
		}
		err := s.Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) || starts != c.starts {
			t.Errorf("%d starts, error %v; want %d, %q\n%s", starts, err, c.starts, c.want, output.String())
		}
	}
}

// Who does not stop is killed, and that is said.
func TestStubborn(t *testing.T) {
	r, w := io.Pipe()
	s := supervisor(w, child1("stubborn", subject.Monitor))
	s.Drain = func(subject.Stage) time.Duration { return 10 * time.Millisecond }
	lines, ended, stop := watched(t, s, r)
	await(t, lines, "deaf")
	stop()
	await(t, lines, "does not stop and is killed")
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	w.Close()
}

func TestKill(t *testing.T) {
	r, w := io.Pipe()
	s := supervisor(w, child1("stubborn", subject.Monitor), child1("stubborn", subject.Writer))
	kill := make(chan struct{})
	s.Kill = kill
	lines, ended, stop := watched(t, s, r)
	await(t, lines, "deaf")
	await(t, lines, "deaf")
	stop()
	close(kill)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	w.Close()
}

// A child whose supervisor is killed notices, and ends by itself.
func TestOrphan(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.StartProcess(self, []string{self}, &os.ProcAttr{
		Env: append(os.Environ(), roleEnv+"=supervisor", lineEnv+"="+l.Addr().String(), "TMPDIR="+t.TempDir()),
	})
	if err != nil {
		t.Fatal(err)
	}
	line, err := l.Accept() // the child runs
	if err != nil {
		t.Fatal(err)
	}
	defer line.Close()
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	// The connection ends with the child.
	if n, err := line.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Fatal(n, err)
	}
}
