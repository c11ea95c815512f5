package main

import (
	"context"
	"fmt"

	"rhea/proto/bus"
	"rhea/proto/stage"
	"rhea/rhea/importer"
)

const importHelp = `Usage: rhea import [flags] [FILE…] < events.jsonl

Publishes events, one JSON object a line, plain or in gzip or zstd, through a running relay: they
are checked as a client's would be, reach live subscriptions, and are on disk when they are
counted as accepted. It can be run again: what is stored already is counted as a duplicate. What
had to be sent again, as the relay did not answer, and is found stored then, counts as accepted,
in a row of its own: most likely its first copy is what is stored. Ends with exit code 1 when a
line has no final answer.

  --no-verify          trust the signatures, which saves most of the work
  --resume             keep beside each FILE how far it is imported, in FILE.rhea-import, and go
                       on from there, if the import before was cut and was given --resume too
  --show-rejected      name every line that is rejected, not only the first ten` + operatorFlags

type importFlagSet struct {
	Flags struct {
		NoVerify     bool `toml:"no-verify"`
		Resume       bool `toml:"resume"`
		ShowRejected bool `toml:"show-rejected"`
	} `toml:"-"`
}

func importEvents(h stage.Host) int {
	var own importFlagSet
	o, code, done := newOperator(h, "import", importHelp, &own)
	if done {
		return code
	}
	return o.withBus(func(ctx context.Context, b *bus.Bus) error {
		bar := newBar(h.Stderr)
		options := importer.Options{
			Files: o.rest, Stdin: h.Stdin, Trusted: own.Flags.NoVerify, Resume: own.Flags.Resume, MaxLine: o.cfg.Limits.MaxMessageLength,
			AllNotes: own.Flags.ShowRejected,
			Note:     func(place, reason string) { bar.above(fmt.Sprintf("%s: %s", place, reason)) },
		}
		if bar.terminal {
			options.Progress = bar.show
		}
		result, err := importer.Run(ctx, b, options)
		bar.clear()
		if result.Lines() > 0 || err == nil {
			if e := result.Write(h.Stdout); err == nil {
				err = e
			}
		}
		if err == nil && !result.Complete() {
			err = fmt.Errorf("not every event has a final answer; import again, which repeats nothing")
		}
		return err
	})
}
