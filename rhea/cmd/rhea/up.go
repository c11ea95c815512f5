package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"rhea/proto/stage"
	"rhea/proto/subject"
	"rhea/rhea/settings"
	relay "rhea/rhea/up"
)

const upHelp = `Usage: rhea up [flags]

Runs a relay on this machine: one process for every stage, joined by a NATS server inside of
this one. Prints a line when clients can connect. Processes that die are started again.
SIGINT or SIGTERM stops the relay in order, a second one at once. SIGHUP, or a change of the
file, has every process read the file again.
` + relayFlags + `
  --gateways N         gateway processes, which share the address (1)
  --ingesters N        processes that check events (1)
  --reqworkers N       processes that answer REQs (1)
  --monitors N         processes that serve live subscriptions (1)
` + relaySettings

// drainSlack is what a stage gets on top of [stage] drain, after which it gives
// up by itself, before it is killed.
const drainSlack = 2 * time.Second

func up(h stage.Host) int {
	cfg, common := defaultRelay(), stage.DefaultCommon()
	l := &stage.Loader{Name: "rhea up", Config: []any{&cfg, &common}}
	args := unalias(h.Args, map[string]string{"--bus": "--up.bus"})
	rest, mode, code, done := load(h, l, upHelp, args)
	if done {
		return code
	}
	if code, done := noArguments(h, l, rest); done {
		return code
	}
	settle(&cfg)
	if mode == stage.ModePrintConfig {
		if err := l.WriteConfig(h.Stdout); err != nil {
			return fail(h, "up", err)
		}
		return stage.ExitOK
	}
	if err := superviseRelay(h, l, cfg, common, args); err != nil {
		return fail(h, "up", err)
	}
	return stage.ExitOK
}

func superviseRelay(h stage.Host, l *stage.Loader, cfg settings.Relay, common stage.Common, args []string) error {
	path, err := os.Executable()
	if err != nil {
		return err
	}
	address, err := free(cfg.Gateway.Listen)
	if err != nil {
		return err
	}
	errs := relay.NewLockedWriter(h.Stderr)
	process := stage.NewProcess(errs, common.Log, "up")
	stopMetrics, err := process.Serve(common.Metrics)
	if err != nil {
		return err
	}
	defer stopMetrics()
	changes := newChanges(stage.NewReloads(l, process), l.Settings(), stage.NewHangup(h.HasTerminal), h.Tidier)
	ctx, kill, stopHearing := stopOnSignals(h.Signals, changes.signal)
	defer stopHearing()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	watching, stopWatching := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	watchers.Go(func() { changes.watch(watching) })
	orphaned := h.Orphaned()
	watchers.Go(func() {
		select {
		case <-orphaned:
			process.Log.Info("stopping", "because", "the supervisor is gone")
			stop()
		case <-watching.Done():
		}
	})
	defer func() { stopWatching(); watchers.Wait() }()
	counts := map[subject.Stage]int{
		subject.Gateway: cfg.Up.Gateways, subject.Ingester: cfg.Up.Ingesters, subject.Reqworker: cfg.Up.Reqworkers,
		subject.Monitor: cfg.Up.Monitors, subject.Writer: 1, subject.Negentropy: 1,
	}
	processes := 0
	for _, n := range counts {
		processes += n
	}
	env := append(os.Environ(), environment(args)...)
	// Gateways share the address even if there is only one: its successor comes before
	// it goes.
	env = append(env, "RHEA_WRITER_DIR="+cfg.Writer.Dir, "RHEA_GATEWAY_LISTEN="+address, "RHEA_GATEWAY_REUSE_PORT=true")
	o := relay.Options{
		Data: cfg.Up.Data, BusListen: cfg.Up.Bus, Bus: cfg.Bus, Counts: counts, Path: path, Env: env,
		Addresses: []string{address}, Drain: changes.drain,
		Log: process.Log, Checks: process.Checks, Metrics: process.Metrics, Output: errs, Kill: kill, Hangups: changes.children,
		OnReady: func() {
			fmt.Fprint(h.Stdout, readyLine(address, processes, cfg.Up.Data))
			if err := stage.Notify(h.LookupEnv, stage.NotifyReady); err != nil {
				process.Log.Warn("nobody can be told that the relay is ready", "err", err)
			}
		},
	}
	if common.Metrics.Listen != "" {
		// One address serves one process, the first this one. The children share theirs
		// with whoever will replace them.
		for n := range processes {
			if _, err := free(portAfter(common.Metrics.Listen, n+1)); err != nil {
				return fmt.Errorf("metrics: %w", err)
			}
		}
		o.EnvOf = func(n int) []string {
			return []string{"RHEA_METRICS_LISTEN=" + portAfter(common.Metrics.Listen, n+1)}
		}
	}
	err = relay.Run(ctx, o)
	select {
	case <-kill:
		return errors.Join(err, errors.New("stopped at once: second signal"))
	default:
		return err
	}
}

// free finds out at once, and without a gateway's detour, that an address is
// taken: gateways that share one would not even notice a stranger among them. It
// returns the address with the port that port 0 stands for.
func free(address string) (string, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return "", err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(host, port), l.Close()
}

// stopOnSignals returns a context that the first signal ends and a channel that
// the second closes, other than SIGHUP: of that, a terminal that is closed may
// send several. Other, if not nil, is asked first, and says whether a signal was for
// something else; it must not block. Cancel ends the goroutine that listens for them.
func stopOnSignals(signals <-chan os.Signal, other func(os.Signal) bool) (ctx context.Context, kill <-chan struct{}, cancel func()) {
	ctx, stop := context.WithCancel(context.Background())
	over, end := context.WithCancel(context.Background())
	killed := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for dead := false; ; {
			select {
			case <-over.Done():
				return
			case s := <-signals:
				switch {
				case ctx.Err() == nil && other != nil && other(s):
				case ctx.Err() == nil:
					stop()
				case s != syscall.SIGHUP && !dead:
					close(killed)
					dead = true
				}
			}
		}
	}()
	return ctx, killed, func() { stop(); end(); <-ended }
}
