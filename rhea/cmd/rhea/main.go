// Command rhea runs a Nostr relay and serves its operator.
//
// Each subcommand is a file of this package, which knows command lines and
// terminals; the work is done by the packages beside it: up, solo, importer,
// operate, status, top, bench.
package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"rhea/proto/stage"
)

// command is one of rhea's.
type command struct {
	name string
	what string // one line
	run  func(h stage.Host) int
	// daemon returns, for what follows the command, what it takes of the machine, if it is one of those that do not end when nobody reads their
	// output any more; it is nil for the others, who do, without a word, as programs in a
	// pipe should.
	daemon func(args []string) stage.Part
}

func commands() []command {
	return []command{
		{"up", "run a relay, each stage a process", up, always(stage.Part{Processors: stage.Quarter})},
		{"solo", "run a relay in one process", solo, always(stage.Part{Garbage: 50})},
		{"stage", "run one stage, as rhea-STAGE does", runStage, partOfStage},
		{"restart", "replace the processes of a running relay by the program on disk", restart, nil},
		{"import", "publish events from JSON lines through a running relay", importEvents, nil},
		{"export", "write stored events as JSON lines, oldest first", export, nil},
		{"scan", "write the events that match a filter, newest first", scan, nil},
		{"count", "say how many stored events match a filter", count, nil},
		{"info", "say what a relay's store holds, and how large it is", showInfo, nil},
		{"status", "show the processes of a running relay and what they do", showStatus, nil},
		{"top", "watch a running relay live in the terminal", showTop, nil},
		{"config", "check a file of settings: rhea config check FILE", config, nil},
		{"record", "write what the stages of a running relay say to each other to a file", recordBus, nil},
		{"show", "print a recording as text", showRecording, nil},
		{"replay", "ask a recording's questions again and compare the answers", replayRecording, nil},
		{"trace", "follow one event or one connection through the stages, live", traceBus, nil},
		{"check", "check the store of a relay that does not run", check, nil},
		{"bench", "drive a relay with load and say what each event and query costs", runBench, nil},
		{"health", "ask a process whether it can do its work", checkHealth, nil},
	}
}

func always(part stage.Part) func([]string) stage.Part {
	return func([]string) stage.Part { return part }
}

func main() {
	for _, c := range commands() {
		if c.daemon != nil && len(os.Args) > 1 && os.Args[1] == c.name {
			stage.IgnoreBrokenPipes()
			stage.Share(c.daemon(os.Args[2:]))
		}
	}
	os.Exit(run(stage.Host{
		Args: os.Args[1:], LookupEnv: os.LookupEnv, Environ: os.Environ(),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Signals: stage.StopSignals(), HasTerminal: stage.HasTerminal, Tidier: stage.NewTidier(),
	}))
}

// run is main on any host; it returns the exit code.
func run(h stage.Host) int {
	name := ""
	if len(h.Args) > 0 {
		name = h.Args[0]
	}
	switch name {
	case "", "help", "--help", "-h":
		if len(h.Args) > 1 && name == "help" {
			h.Args = []string{h.Args[1], "--help"}
			return run(h)
		}
		usage(h.Stdout)
		if name == "" {
			return stage.ExitUsage
		}
		return stage.ExitOK
	case "version", "--version":
		fmt.Fprintf(h.Stdout, "rhea %s\n", stage.Version())
		return stage.ExitOK
	}
	var names []string
	for _, c := range commands() {
		if c.name == name {
			h.Args = h.Args[1:]
			return c.run(h)
		}
		names = append(names, c.name)
	}
	if near := stage.Nearest(name, names); near != "" {
		fmt.Fprintf(h.Stderr, "rhea: there is no command %q; did you mean %s?\n", name, near)
		return stage.ExitUsage
	}
	fmt.Fprintf(h.Stderr, "rhea: there is no command %q; `rhea help` lists them\n", name)
	return stage.ExitUsage
}

func usage(w io.Writer) {
	var b strings.Builder
	b.WriteString("Rhea is a Nostr relay made of processes.\n\nUsage: rhea COMMAND [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-8s  %s\n", c.name, c.what)
	}
	b.WriteString("  version   print the version\n\nrhea COMMAND --help says more.\n" +
		"Exit codes: 0 done, 1 failed, 64 a bad command line or configuration.\n")
	io.WriteString(w, b.String()) // a usage that cannot be printed has nobody to tell
}

// fail prints an error as the command's last word.
func fail(h stage.Host, command string, err error) int {
	fmt.Fprintf(h.Stderr, "rhea %s: %v\n", command, err)
	return stage.ExitFailure
}
