package main

import (
	"context"
	"fmt"

	"rhea/proto/stage"
	"rhea/rhea/health"
)

const healthHelp = `Usage: rhea health [URL]

Asks a process on its metrics port whether it can do its work, and exits with 0 if it can and
with 1, and a line that says why, if it cannot or has not answered in 2 seconds. Made for the
health checks of containers. The URL may be host:port; without a path it asks /readyz. Without
a URL it asks the process that listens where [metrics] listen says (or --metrics.listen,
RHEA_METRICS_LISTEN), or else 127.0.0.1:9100.
`

// defaultMetrics is where a process is asked when nothing says where it listens.
const defaultMetrics = "127.0.0.1:9100"

func checkHealth(h stage.Host) int {
	var cfg struct {
		Metrics stage.MetricsConfig `toml:"metrics"`
	}
	l := &stage.Loader{Name: "rhea health", Config: []any{&cfg}}
	rest, mode, code, done := load(h, l, healthHelp, h.Args)
	switch {
	case done:
		return code
	case mode == stage.ModePrintConfig:
		if err := l.WriteConfig(h.Stdout); err != nil {
			return fail(h, "health", err)
		}
		return stage.ExitOK
	case len(rest) > 1:
		fmt.Fprintf(h.Stderr, "rhea health: %q is one too many: want one URL\n", rest[1])
		return stage.ExitUsage
	}
	where := cfg.Metrics.Listen
	if len(rest) == 1 {
		where = rest[0]
	}
	if where == "" {
		where = defaultMetrics
	}
	at, err := health.URL(where)
	if err != nil {
		fmt.Fprintf(h.Stderr, "rhea health: %v\n", err)
		return stage.ExitUsage
	}
	if err := health.Ask(context.Background(), at); err != nil {
		return fail(h, "health", err)
	}
	fmt.Fprintln(h.Stdout, "ok")
	return stage.ExitOK
}
