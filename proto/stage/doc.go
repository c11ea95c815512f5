// Package stage is the life that every Rhea process shares: reading its
// configuration, logging, counting, answering /metrics, /healthz and /readyz,
// starting, draining and ending.
//
//	main.go ── Main(Program) ── Load ──────► sections filled and validated
//	                  │
//	                  ├── metrics server     (goroutine, ends after Run)
//	                  ├── stdin watch        (goroutine, only when supervised)
//	                  ├── Reloads            SIGHUP, or a changed file ──► Process.Reload
//	                  └── Program.Run(ctx)   (goroutine; ctx ends at the first signal)
//
// A program is a value, Program; its configuration is a struct whose fields are
// sections, and the same struct tags make the TOML keys, the environment names,
// the flags and the help. What the sections mean is no business of this package:
// it knows only its own three, [log], [metrics] and [stage], and hands [bus] and
// [limits] on in an Env when a stage is connected (WithBus).
//
// When settings have changed, a stage receives them in its own loop (Env.Reload): the
// goroutine that owns the state also changes what it goes by. Settings are never
// written to once they have been read, and differ from those before only where a
// change is sound while the process runs (tag live:"true").
//
// The package owns no global state. Everything a process touches (arguments,
// environment, streams, signals) comes in through a Host, so that a whole life
// can be run inside a test. Only Main ends the process.
package stage
