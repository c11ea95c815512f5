package stage

import (
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"rhea/proto/subject"
)

// Process is what Run gets from the life around it.
type Process struct {
	// Instance identifies this run of a stage; the bus and the log use the same.
	Instance subject.Instance
	Log      *slog.Logger
	Metrics  *Metrics
	// Checks are what /healthz and /readyz say of this stage.
	Checks *Checks
	// Reload receives the settings in force whenever they have changed. It holds one:
	// the latest.
	Reload <-chan Settings

	shell *shell
}

// shell is what the stages of one process share.
type shell struct {
	logs   io.Writer
	config LogConfig
	level  slog.LevelVar

	draining atomic.Bool // the process has been told to stop

	mu      sync.Mutex
	sets    []*Metrics
	checks  []*Checks
	reloads []chan Settings
}

// NewProcess returns a process that nothing watches over, for a program that has
// another life than Program gives it. Its logs go to w.
func NewProcess(w io.Writer, c LogConfig, stage string) Process {
	return newProcess(w, c, stage, newInstance())
}

// Gather returns what /metrics says of all stages of the process, beside what Go and
// the operating system say.
func (p Process) Gather() ([]*dto.MetricFamily, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(p.shell)
	return registry.Gather()
}

// Serve answers for the process as section [metrics] says, until stop is called.
func (p Process) Serve(c MetricsConfig) (stop func(), err error) {
	server, err := startMetrics(c.Listen, false, p.shell, p.Log)
	return server.stop, err
}

// newProcess returns a process whose logs go to w, which need not be safe for
// concurrent use.
func newProcess(w io.Writer, c LogConfig, stage string, instance subject.Instance) Process {
	s := &shell{logs: &lockedWriter{w: w}, config: c}
	s.level.Set(c.level())
	p := Process{shell: s, Checks: &Checks{}}
	p.Checks.add("life", func() error {
		if s.draining.Load() {
			return errDraining
		}
		return nil
	})
	return p.as(stage, instance)
}

var errDraining = errors.New("draining")

// For returns the same process seen as another stage, for a program that runs
// several: own instance, logger, metrics and checks, shared endpoint.
func (p Process) For(stage string) Process {
	p.Checks = &Checks{who: stage + ": "}
	return p.as(stage, newInstance())
}

func (p Process) as(stage string, instance subject.Instance) Process {
	m := NewMetrics(stage)
	started, common := time.Now(), m.Common()
	common.GaugeFunc("build_info", "1; the label says which version this is.", func() float64 { return 1 }, "version", Version())
	common.GaugeFunc("uptime_seconds", "Seconds since the process started.", func() float64 { return time.Since(started).Seconds() })
	p.shell.mu.Lock()
	defer p.shell.mu.Unlock()
	p.shell.sets = append(p.shell.sets, m)
	p.shell.checks = append(p.shell.checks, p.Checks)
	p.Instance, p.Metrics, p.Checks.stage = instance, m, stage
	p.Log = p.shell.config.newLogger(p.shell.logs, &p.shell.level, stage, p.Instance)
	reload := make(chan Settings, 1)
	p.shell.reloads = append(p.shell.reloads, reload)
	p.Reload = reload
	return p
}

// publish gives settings to every stage of the process, in place of those that it
// has not taken yet. It is called by one goroutine.
func (s *shell) publish(settings Settings) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.reloads {
		select {
		case <-c:
		default:
		}
		c <- settings // there is room: nobody else sends
	}
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
