package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"rhea/proto/bus"
	"rhea/proto/stage"
	"rhea/rhea/operate"
)

const whichFlags = `
  --since TIME         nothing older, in Unix seconds
  --until TIME         nothing newer
  --limit N            at most N events in all; a filter's own limit holds as well`

const scanFlags = whichFlags + `
  --ascending          oldest first
  --descending         newest first`

const exportHelp = `Usage: rhea export [flags] [FILTER…]

Writes the stored events, or those that match one of the NIP-01 filters, one JSON object a line,
oldest first. An event that is replaced meanwhile is there in its old or its new version, or in
both; of what else is published meanwhile, some is there and some is not. With --descending,
what is published meanwhile is left out, and so may be the event that it replaces.

  rhea export > backup.jsonl
  rhea export --out backup.jsonl.zst

  --out FILE           write to FILE, compressed if it ends in .gz or .zst; it has its name, and
                       replaces what had it, when it is whole and on disk
  --resume             with a plain --out: keep what is written when it is cut, and go on behind
                       what an export of the same filters with --resume has kept
  --reverse            newest first, as strfry calls it` + scanFlags + operatorFlags

const scanHelp = `Usage: rhea scan [flags] FILTER…

Writes the stored events that match one of the NIP-01 filters, one JSON object a line, newest
first. What is published meanwhile is left out, and so may be the event that it replaces. A
FILTER may also be a JSON array of filters.

  rhea scan --limit 10 '{"kinds":[1]}'

  --count              print how many there are instead` + scanFlags + operatorFlags

const countHelp = `Usage: rhea count [flags] [FILTER…]

Prints how many stored events match one of the NIP-01 filters, or how many there are: private
kinds and what has expired and is not removed yet included.

  rhea count '{"kinds":[1]}' '{"kinds":[7]}'
` + whichFlags + operatorFlags

// whichFlagSet says which events.
type whichFlagSet struct {
	Limit int    `toml:"limit"`
	Since string `toml:"since"`
	Until string `toml:"until"`
}

// query makes a query of flags and arguments.
func (f whichFlagSet) query(filters []string, ascending bool) (q operate.Query, err error) {
	q = operate.Query{Limit: f.Limit, Ascending: ascending}
	if q.Filters, err = operate.Filters(filters); err != nil {
		return q, err
	}
	if q.Since, err = seconds("--since", f.Since); err != nil {
		return q, err
	}
	if q.Until, err = seconds("--until", f.Until); err != nil {
		return q, err
	}
	if f.Limit < 0 {
		return q, fmt.Errorf("--limit is %d: want 0, for all, or more", f.Limit)
	}
	return q, q.Check()
}

// seconds reads a flag, which may be missing.
func seconds(flag, text string) (*int64, error) {
	if text == "" {
		return nil, nil
	}
	at, err := strconv.ParseInt(text, 10, 64)
	if err != nil || at < 0 {
		return nil, fmt.Errorf("%s is %q: want a time in Unix seconds, such as 1700000000", flag, text)
	}
	return &at, nil
}

func export(h stage.Host) int {
	var own struct {
		Which whichFlagSet `toml:"-"`
		Flags struct {
			Ascending  bool   `toml:"ascending"`
			Descending bool   `toml:"descending"`
			Reverse    bool   `toml:"reverse"` // strfry's
			Out        string `toml:"out"`
			Resume     bool   `toml:"resume"`
		} `toml:"-"`
	}
	o, code, done := newOperator(h, "export", exportHelp, &own)
	if done {
		return code
	}
	f := own.Flags
	descending := f.Descending || f.Reverse
	q, err := own.Which.query(o.rest, !descending)
	switch {
	case err != nil:
	case f.Ascending && descending:
		err = errors.New("either --ascending or --descending")
	case f.Resume && f.Out == "":
		err = errors.New("--resume goes with --out FILE")
	case f.Resume:
		err = q.CheckResume(f.Out)
	}
	if err != nil {
		fail(h, "export", err)
		return stage.ExitUsage
	}
	return o.withBus(func(ctx context.Context, b *bus.Bus) error {
		bar := newBar(h.Stderr)
		defer bar.clear()
		if bar.terminal && !isTerminal(h.Stdout) {
			q.Progress = bar.events
		}
		switch {
		case f.Resume:
			_, err = operate.ResumeExport(ctx, b, q, f.Out)
		case f.Out != "":
			_, err = operate.ExportFile(ctx, b, q, f.Out)
		default:
			_, err = operate.Scan(ctx, b, q, h.Stdout)
		}
		return err
	})
}

func scan(h stage.Host) int {
	var own struct {
		Which whichFlagSet `toml:"-"`
		Flags struct {
			Ascending  bool `toml:"ascending"`
			Descending bool `toml:"descending"`
			Count      bool `toml:"count"`
		} `toml:"-"`
	}
	o, code, done := newOperator(h, "scan", scanHelp, &own)
	if done {
		return code
	}
	f := own.Flags
	q, err := own.Which.query(o.rest, f.Ascending)
	switch {
	case err != nil:
	case len(o.rest) == 0:
		err = errors.New("which events? Give a filter, such as '{\"kinds\":[1]}'; see --help")
	case f.Ascending && f.Descending:
		err = errors.New("either --ascending or --descending")
	}
	if err != nil {
		fail(h, "scan", err)
		return stage.ExitUsage
	}
	if f.Count {
		return o.count(q)
	}
	return o.withBus(func(ctx context.Context, b *bus.Bus) error {
		_, err := operate.Scan(ctx, b, q, h.Stdout)
		return err
	})
}

func count(h stage.Host) int {
	var own struct {
		Which whichFlagSet `toml:"-"`
	}
	o, code, done := newOperator(h, "count", countHelp, &own)
	if done {
		return code
	}
	q, err := own.Which.query(o.rest, false)
	if err != nil {
		fail(h, "count", err)
		return stage.ExitUsage
	}
	return o.count(q)
}

// count prints how many events there are of a query.
func (o operator) count(q operate.Query) int {
	return o.withBus(func(ctx context.Context, b *bus.Bus) error {
		n, err := operate.Count(ctx, b, q)
		if err == nil {
			_, err = fmt.Fprintln(o.h.Stdout, n)
		}
		return err
	})
}
