package stage

import (
	"io"
	"log/slog"
	"sync"

	"rhea/proto/subject"
)

// Process is what Run gets from the life around it.
type Process struct {
	// Instance identifies this run of a stage; the bus and the log use the same.
	Instance subject.Instance
	Log      *slog.Logger
	Metrics  *Metrics

	shell *shell
}

// shell is what the stages of one process share.
type shell struct {
	logs   io.Writer
	config LogConfig

	mu     sync.Mutex
	sets   []*Metrics
	checks []healthCheck
}

type healthCheck struct {
	name  string
	check func() error
}

// newProcess returns a process whose logs go to w, which need not be safe for
// concurrent use.
func newProcess(w io.Writer, c LogConfig, stage string, instance subject.Instance) Process {
	s := &shell{logs: &lockedWriter{w: w}, config: c}
	return Process{shell: s}.as(stage, instance)
}

// For returns the same process seen as another stage, for a program that runs
// several: own instance, logger and metrics, shared endpoint and health.
func (p Process) For(stage string) Process { return p.as(stage, newInstance()) }

func (p Process) as(stage string, instance subject.Instance) Process {
	m := NewMetrics(stage)
	p.shell.mu.Lock()
	defer p.shell.mu.Unlock()
	p.shell.sets = append(p.shell.sets, m)
	p.Instance, p.Metrics = instance, m
	p.Log = p.shell.config.NewLogger(p.shell.logs, stage, p.Instance)
	return p
}

// Health adds a condition to /healthz: while check returns an error, the process
// is not healthy. It is called from any goroutine and must be quick.
func (p Process) Health(name string, check func() error) {
	p.shell.mu.Lock()
	defer p.shell.mu.Unlock()
	p.shell.checks = append(p.shell.checks, healthCheck{name, check})
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}
