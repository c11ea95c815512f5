package up

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"rhea/proto/stage"
	"rhea/proto/subject"
)

// Program is a child to be kept running.
type Program struct {
	Stage subject.Stage
	Name  string // in logs: "gateway", or "gateway-2" where there are several
	Path  string
	Args  []string
	Env   []string // the whole environment
}

// death is the end of one run of a child.
type death struct {
	child *child
	pid   int // 0 when it could not even be started
	lived time.Duration
	code  int           // exit code; -1 when a signal killed it
	how   string        // "exit status 2", "signal: killed"
	said  string        // its own reason, if it gave one
	pause time.Duration // until it is started again
}

// child keeps one program running, in the goroutine of keep.
type child struct {
	Program
	log    *slog.Logger
	output *lines
	path   string                            // of the file that is run: Program.Path, or what that was
	dir    string                            // for sockets
	drain  func(subject.Stage) time.Duration // between SIGTERM and SIGKILL
	deaths chan<- death                      // somebody receives until done is closed
	stop   chan struct{}                     // closed: end it in order
	kill   <-chan struct{}                   // closed: end it at once
	hangup chan struct{}                     // receives: send it SIGHUP
	done   chan struct{}                     // closed by keep when it is over
	ready  chan struct{}                     // closed when a process has said that it is ready
	once   sync.Once                         // closes it
	pid    atomic.Int64                      // of the last process

	// Of the receiver of deaths:
	failed  int         // deaths so far
	fell    func(death) // called at a death, if not nil
	program *os.File    // open for as long as path needs it
}

// outputPatience is how long a dead child's output may be held open by somebody
// else (a grandchild, a debugger).
const outputPatience = time.Second

// keep starts the program, and again when it has ended, until stop is closed.
func (c *child) keep() {
	defer close(c.done)
	var pauses backoff
	for {
		d := c.run()
		d.pause = pauses.after(d.lived)
		c.deaths <- d
		if closed(c.stop) || closed(c.kill) {
			return
		}
		timer := time.NewTimer(d.pause)
		select {
		case <-c.stop:
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// run is one life of the child.
func (c *child) run() death {
	d := death{child: c, code: -1}
	cmd := exec.Command(c.path, c.Args...)
	cmd.Args[0] = c.Path
	socket, deafen, err := hearReady(c.dir, func() { c.once.Do(func() { close(c.ready) }) })
	if err != nil {
		c.log.Error("nobody will hear when a stage is ready", "stage", c.Name, "err", err)
	} else {
		defer deafen()
	}
	cmd.Env = append(c.Env[:len(c.Env):len(c.Env)], stage.NotifyEnv+"="+socket)
	cmd.Stdout, cmd.Stderr = c.output, c.output
	cmd.WaitDelay = outputPatience
	// A group of its own: Ctrl-C in the terminal is for the supervisor, which
	// stops its children in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// Nothing is ever written here. When this process is killed the kernel closes
	// the pipe, which tells the child.
	if _, err := cmd.StdinPipe(); err != nil {
		d.how = err.Error()
		return d
	}
	started := time.Now()
	if err := cmd.Start(); err != nil {
		d.how = err.Error()
		return d
	}
	d.pid = cmd.Process.Pid
	c.pid.Store(int64(d.pid))
	c.log.Debug("a stage is started", "stage", c.Name, "pid", d.pid)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	err = c.await(cmd.Process, ended)
	d.lived = time.Since(started)
	d.code = cmd.ProcessState.ExitCode()
	d.how = cmd.ProcessState.String()
	d.said = c.output.end()
	if err != nil && d.code == 0 {
		d.how = err.Error()
	}
	return d
}

// await returns when the process has ended, which it asks for, and in the end
// enforces, once stop is closed.
func (c *child) await(process *os.Process, ended <-chan error) error {
	stop := c.stop
	var overdue <-chan time.Time // nil until the child is asked to stop
	var after time.Duration
	kill := c.kill
	for {
		select {
		case err := <-ended:
			return err
		case <-stop:
			stop = nil
			after = c.drain(c.Stage)
			overdue = time.After(after)
			c.signal(process, syscall.SIGTERM)
		case <-c.hangup:
			c.signal(process, syscall.SIGHUP)
		case <-overdue:
			c.log.Error("a stage does not stop and is killed", "stage", c.Name, "pid", process.Pid, "after", after)
			c.signal(process, syscall.SIGKILL)
		case <-kill:
			kill = nil
			c.signal(process, syscall.SIGKILL)
		}
	}
}

// askToStop has the child end in order; keep closes done when it has. It belongs to
// the receiver of deaths.
func (c *child) askToStop() {
	if !closed(c.stop) {
		close(c.stop)
	}
}

// hangUp has SIGHUP sent to the process, if there is one now or soon.
func (c *child) hangUp() {
	select {
	case c.hangup <- struct{}{}:
	default: // it is about to be sent
	}
}

func (c *child) signal(process *os.Process, s syscall.Signal) {
	if err := process.Signal(s); err != nil && err != os.ErrProcessDone {
		c.log.Error("a stage cannot be signalled", "stage", c.Name, "pid", process.Pid, "signal", s, "err", err)
	}
}

// reason says in one line why the child ended.
func (d death) reason() string {
	if d.said == "" {
		return d.how
	}
	return fmt.Sprintf("%s (%s)", d.said, d.how)
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
