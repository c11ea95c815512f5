package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"rhea/proto/beat"
	"rhea/proto/subject"
)

// Program is one of Rhea's daemons.
type Program struct {
	Name    string // of the binary: "rhea-gateway"
	Stage   string // in logs and metrics: "gateway"
	Version string
	Doc     string // one paragraph for --help
	Part    Part   // of the machine, that Main takes
	// Config points to the program's struct of sections, holding the defaults;
	// see Loader.Config. It is filled before Run is called.
	Config any
	// Run does the work until ctx ends, then drains and returns nil (or ctx's
	// error, which counts as nil). When it fails it returns an error, and the
	// process ends.
	Run func(ctx context.Context, p Process) error
	// StopTime returns what a stop may take, with the settings in force, beside
	// [stage] drain. It may be nil: nothing.
	StopTime func(Settings) time.Duration
	// Mine, if not nil, says which settings, such as "bus.url", the program goes by;
	// that others have changed is not logged.
	Mine func(setting string) bool
}

// Host is everything a process touches.
type Host struct {
	Args           []string // without the program's name
	LookupEnv      func(string) (string, bool)
	Environ        []string  // as os.Environ returns; only names are read, to find misspelt ones
	Stdin          io.Reader // read only when supervised
	Stdout, Stderr io.Writer
	Signals        <-chan os.Signal // as StopSignals returns
	HasTerminal    func() bool      // as HasTerminal; nil: it has none
	Tidier         *Tidier          // of this process; nil: it keeps its memory
}

// The exit codes of a program. A Go program that panics, or runs out of memory,
// ends with 2, which therefore stands for nothing else.
const (
	ExitOK      = 0
	ExitFailure = 1
	ExitUsage   = 64 // a bad command line or configuration: EX_USAGE of sysexits.h
)

// SupervisedEnv is the variable that a supervisor sets to "1" to say that it
// holds the other end of the program's standard input, so that the end of that
// input means the end of the supervisor.
const SupervisedEnv = "RHEA_SUPERVISED"

func (h Host) supervised() bool {
	v, _ := h.LookupEnv(SupervisedEnv)
	return v == "1"
}

// Orphaned returns a channel that is closed when the supervisor is gone, never when there
// is none. It is called once, as it reads the standard input, for the life of the process.
func (h Host) Orphaned() <-chan struct{} {
	orphaned := make(chan struct{})
	if h.supervised() {
		go func() {
			_, _ = io.Copy(io.Discard, h.Stdin) // an error ends the input as well
			close(orphaned)
		}()
	}
	return orphaned
}

// DrainConfig is section [stage].
type DrainConfig struct {
	Drain time.Duration `toml:"drain" help:"how long a stop may take before what is unfinished is abandoned" live:"true"`
}

// Validate refuses a drain time that is not positive.
func (c *DrainConfig) Validate() error {
	if c.Drain <= 0 {
		return fmt.Errorf("drain is %s: want more than 0", c.Drain)
	}
	return nil
}

// Common holds the sections that every program has.
type Common struct {
	Log     LogConfig     `toml:"log" help:"what is written to standard error"`
	Metrics MetricsConfig `toml:"metrics" help:"Prometheus metrics, health and profiles over HTTP"`
	Stage   DrainConfig   `toml:"stage" help:"the life of the process"`
}

// DefaultCommon returns the defaults of the sections that every program has.
func DefaultCommon() Common {
	return Common{
		Log:   LogConfig{Level: "info", Format: "text"},
		Stage: DrainConfig{Drain: 10 * time.Second},
	}
}

// StopSignals returns the signals that ask this process to stop: SIGINT, SIGTERM,
// and SIGHUP, which may ask for something else (see Hangup); the last unless whoever
// started it has that ignored, as nohup does.
func StopSignals() <-chan os.Signal {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	return signals
}

// IgnoreBrokenPipes lets this process live on when nobody reads its standard
// output and error any more: its work is elsewhere. Log lines are lost then.
func IgnoreBrokenPipes() { signal.Ignore(syscall.SIGPIPE) }

// Main runs the program in this process and ends it. Panics are not caught: a
// broken invariant is to be loud.
func Main(p Program) {
	IgnoreBrokenPipes()
	Share(p.Part)
	os.Exit(p.Start(Host{
		Args: os.Args[1:], LookupEnv: os.LookupEnv, Environ: os.Environ(),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Signals: StopSignals(), HasTerminal: HasTerminal, Tidier: NewTidier(),
	}))
}

// Start runs the program on the given host and returns its exit code. The
// process is stopped by the first signal or, when supervised, by the end of
// standard input; then it has [stage] drain and its StopTime to finish, which a
// second signal cuts short, other than SIGHUP: of that, a terminal that is closed
// may send several.
// A SIGHUP that no terminal's end has sent has the configuration read again, as has
// a change of its file.
//
// When Start gives up on a drain, Run is still running: the caller is expected to
// end the process. The goroutine that watches standard input lasts until that
// ends.
func (p Program) Start(h Host) int {
	common := DefaultCommon()
	loader := Loader{Name: p.Name, Doc: p.Doc, Config: []any{p.Config, &common}, Environ: h.Environ}
	rest, mode, err := loader.Load(h.Args, h.LookupEnv)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%q is not a flag, and nothing else is expected; see --help", rest[0])
	}
	if err != nil {
		fmt.Fprintf(h.Stderr, "%s: %v\n", p.Name, err)
		return ExitUsage
	}
	if mode != ModeRun {
		return p.describe(h, &loader, mode)
	}
	return p.live(h, &loader, common)
}

// describe answers the modes that end at once.
func (p Program) describe(h Host, l *Loader, mode Mode) int {
	var err error
	switch mode {
	case ModeHelp:
		err = l.WriteHelp(h.Stdout)
	case ModeVersion:
		_, err = fmt.Fprintf(h.Stdout, "%s %s\n", p.Name, p.Version)
	case ModePrintConfig:
		err = l.WriteConfig(h.Stdout)
	}
	if err != nil {
		fmt.Fprintf(h.Stderr, "%s: %v\n", p.Name, err)
		return ExitFailure
	}
	return ExitOK
}

// live runs the program from its first log line to its last.
func (p Program) live(h Host, loader *Loader, common Common) int {
	hangup := NewHangup(h.HasTerminal)
	process := newProcess(h.Stderr, common.Log, p.Stage, newInstance())
	log := process.Log
	started := time.Now()
	supervised := h.supervised()
	// Who replaces a process has the new one run beside the old one.
	server, err := startMetrics(common.Metrics.Listen, supervised, process.shell, log)
	if err != nil {
		log.Error("cannot start", "err", err)
		return ExitFailure
	}
	defer server.stop()
	log.Info("started", "version", p.Version, "pid", os.Getpid())

	ctx, cancel := context.WithCancel(context.Background())
	var telling sync.WaitGroup
	defer telling.Wait()
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx, process) }()
	telling.Go(func() { process.shell.notifyReady(ctx, h.LookupEnv, log) })
	orphaned := h.Orphaned()

	drain := p.patience(loader.Settings())
	reloads := NewReloads(loader, process)
	reloads.Mine = p.Mine
	poll := beat.NewTicker(PollEvery)
	defer poll.Stop()
	reload := func(s Settings, changed bool) {
		if changed {
			drain = p.patience(s)
		}
	}

	var overdue <-chan time.Time // nil until a stop is asked for
	stop := func(why string) {
		process.shell.draining.Store(true)
		cancel() // before the log, which may be a pipe that nobody empties
		overdue = time.After(drain)
		log.Info("stopping", "because", why, "drain", drain)
		_ = Notify(h.LookupEnv, NotifyStopping) // nothing depends on its being heard
	}
	for {
		select {
		case err := <-ended:
			if err != nil && !(ctx.Err() != nil && errors.Is(err, context.Canceled)) {
				log.Error("failed", "err", err)
				return ExitFailure
			}
			log.Info("stopped", "after", time.Since(started).Round(time.Millisecond))
			return ExitOK
		case s := <-h.Signals:
			if overdue != nil && s == syscall.SIGHUP {
				continue
			}
			if hangup.Means(s) {
				reload(reloads.Now(s.String()))
				continue
			}
			if overdue != nil {
				log.Error("gave up draining: second signal", "signal", s)
				return ExitFailure
			}
			stop(s.String())
		case <-poll.C:
			poll.Next()
			h.Tidier.Look()
			if overdue == nil {
				reload(reloads.Poll())
			}
		case <-orphaned:
			orphaned = nil
			if overdue == nil {
				stop("the supervisor is gone")
			}
		case <-overdue:
			log.Error("gave up draining: out of time", "drain", drain)
			return ExitFailure
		}
	}
}

// patience is what a stop may take.
func (p Program) patience(s Settings) time.Duration {
	drain := Section[DrainConfig](s).Drain
	if p.StopTime != nil {
		drain += p.StopTime(s)
	}
	return drain
}

// newInstance draws the identity of a run; 0 is nobody's.
func newInstance() subject.Instance {
	return subject.Instance(rand.Uint32N(1<<32-1) + 1)
}
