package main

import (
	"context"
	"fmt"

	"rhea/proto/bus"
	"rhea/proto/stage"
	"rhea/rhea/operate"
)

const scanFlags = `
  --limit N            at most N events in all; a filter's own limit holds as well
  --ascending          oldest first
  --descending         newest first` + operatorFlags

const exportHelp = `Usage: rhea export [flags] [FILTER…]

Writes the stored events, or those that match one of the NIP-01 filters, one JSON object a line,
oldest first. An event that is replaced meanwhile is there in its old or its new version, or in
both; of what else is published meanwhile, some is there and some is not. With --descending,
what is published meanwhile is left out, and so may be the event that it replaces.

  rhea export > backup.jsonl
` + scanFlags

const scanHelp = `Usage: rhea scan [flags] FILTER…

Writes the stored events that match one of the NIP-01 filters, one JSON object a line, newest
first. What is published meanwhile is left out, and so may be the event that it replaces.

  rhea scan --limit 10 '{"kinds":[1]}'
` + scanFlags

type scanFlagSet struct {
	Flags struct {
		Limit      int  `toml:"limit"`
		Ascending  bool `toml:"ascending"`
		Descending bool `toml:"descending"`
	} `toml:"-"`
}

func export(h stage.Host) int {
	return scanEvents(h, "export", exportHelp, true, func([]string) error { return nil })
}

func scan(h stage.Host) int {
	return scanEvents(h, "scan", scanHelp, false, func(filters []string) error {
		if len(filters) == 0 {
			return fmt.Errorf("which events? Give a filter, such as '{\"kinds\":[1]}'; see --help")
		}
		return nil
	})
}

func scanEvents(h stage.Host, name, help string, ascending bool, checked func([]string) error) int {
	var own scanFlagSet
	o, code, done := newOperator(h, name, help, &own)
	if done {
		return code
	}
	flags := own.Flags
	err := checked(o.rest)
	switch {
	case flags.Ascending && flags.Descending:
		err = fmt.Errorf("either --ascending or --descending")
	case flags.Limit < 0:
		err = fmt.Errorf("--limit is %d: want 0, for all, or more", flags.Limit)
	}
	q := operate.Query{Filters: o.rest, Limit: flags.Limit, Ascending: flags.Ascending || ascending && !flags.Descending}
	if err == nil {
		err = q.Check()
	}
	if err != nil {
		fail(h, name, err)
		return stage.ExitUsage
	}
	return o.withBus(func(ctx context.Context, b *bus.Bus) error {
		_, err := operate.Scan(ctx, b, q, h.Stdout)
		return err
	})
}
