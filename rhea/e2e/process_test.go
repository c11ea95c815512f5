package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"rhea/proto/subject"
)

// process is one stage, or another server, that a test has started by itself.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	logs *logBuffer
	done chan struct{} // closed when it has ended
	err  error         // of its end; read after done
}

// startStage starts a stage with settings; it is stopped with the test, after what
// was started later.
func startStage(t *testing.T, st subject.Stage, env ...string) *process {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "rhea-"+string(st)))
	cmd.Env = append(os.Environ(), env...)
	return startProcess(t, string(st), cmd)
}

func startProcess(t *testing.T, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: cmd, logs: &logBuffer{}, done: make(chan struct{})}
	cmd.Stderr = p.logs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("log of %s:\n%s", name, p.logs.tail(4000))
		}
	})
	return p
}

// stop ends the process in order, and fails the test if it does not end well.
func (p *process) stop() {
	select {
	case <-p.done:
		return
	default:
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		if p.err != nil {
			p.t.Errorf("%s ended with %v", p.name, p.err)
		}
	case <-time.After(30 * time.Second):
		p.t.Errorf("%s does not end; killed", p.name)
		p.kill()
	}
}

// kill ends it at once.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.done
}
