package stage

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestMainAsAProcess sends real signals and closes a real standard input.
func TestMainAsAProcess(t *testing.T) {
	for why, c := range map[string]struct {
		supervised string
		stop       func(*exec.Cmd, io.Closer) error
	}{
		"terminated":             {"0", func(c *exec.Cmd, _ io.Closer) error { return c.Process.Signal(syscall.SIGTERM) }},
		"interrupt":              {"1", func(c *exec.Cmd, _ io.Closer) error { return c.Process.Signal(os.Interrupt) }},
		"the supervisor is gone": {"1", func(_ *exec.Cmd, stdin io.Closer) error { return stdin.Close() }},
	} {
		t.Run(why, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0])
			cmd.Env = append(os.Environ(), "RHEA_TEST_PROGRAM=1", SupervisedEnv+"="+c.supervised)
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var log strings.Builder
			for lines := bufio.NewScanner(stderr); lines.Scan(); {
				log.WriteString(lines.Text() + "\n")
				if strings.HasSuffix(lines.Text(), " working") {
					if err := c.stop(cmd, stdin); err != nil {
						t.Error(err)
					}
				}
			}
			if err := cmd.Wait(); err != nil || !strings.Contains(log.String(), why) {
				t.Errorf("%v; log:\n%s", err, log.String())
			}
		})
	}
}

// TestBrokenPipe takes away whoever reads the log: the process must drain when it
// is told to, and not die of saying so.
func TestBrokenPipe(t *testing.T) {
	cmd, lines, stderr := startProgram(t, os.Args[0])
	awaitWorking(t, lines)
	if err := stderr.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

// TestStopBeforeLog stops a program whose log nobody takes for the moment.
func TestStopBeforeLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs, stderr := io.Pipe()
		signals := make(chan os.Signal, 1)
		go func() { _, _ = logs.Read(make([]byte, 1000)) }() // "started", and no more
		p := testProgram(func(ctx context.Context, _ Process) error {
			signals <- syscall.SIGTERM
			<-ctx.Done()
			go func() { _, _ = io.Copy(io.Discard, logs) }() // ends with stderr
			return nil
		})
		if code := p.Start(Host{LookupEnv: env(nil), Stderr: stderr, Signals: signals}); code != ExitOK {
			t.Errorf("exit %d", code)
		}
		_ = stderr.Close() // a pipe's never fails
	})
}

// TestNohup starts the program with SIGHUP ignored: so it must stay.
func TestNohup(t *testing.T) {
	cmd, lines, _ := startProgram(t, "/bin/sh", "-c", `trap "" HUP; exec "$0"`, os.Args[0])
	awaitWorking(t, lines)
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGTERM} {
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	if !lines.Scan() || !strings.Contains(lines.Text(), "because=terminated") {
		t.Errorf("it says %s", lines.Text())
	}
	for lines.Scan() {
		t.Log(lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

// startProgram starts this test binary as a program, by the given command.
func startProgram(t *testing.T, command ...string) (*exec.Cmd, *bufio.Scanner, io.Closer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "RHEA_TEST_PROGRAM=1")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(stderr), stderr
}

func awaitWorking(t *testing.T, lines *bufio.Scanner) {
	t.Helper()
	for lines.Scan() {
		if strings.HasSuffix(lines.Text(), " working") {
			return
		}
	}
	t.Fatal("it does not work")
}
