package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"rhea/proto/bus"
	"rhea/proto/stage"
	"rhea/rhea/importer"
	"rhea/rhea/tap/record"
)

const recordHelp = `Usage: rhea record [flags]

Writes what the stages of a running relay say to each other, with times, to a file: for rhea show
and rhea replay. Runs until it is interrupted or a bound is reached. The file can be read at any
moment, whatever becomes of this command. Ends with exit code 1 when messages are missing in the
recording, because this command could not keep up or lost the bus.

  --out FILE           a new file (rhea-<time>.rec); - is standard output
  --subject LIST       what to record, such as 'ingest.>,write'; commas between, relative to the
                       deployment's prefix (everything, of the announcements on member.* those that
                       say something new)
  --max-size SIZE      end when the file has reached this (1GiB); 0 is never
  --max-age DURATION   end after this time (24h); 0 is never
  --redact LIST        take out auth (AUTH events and challenges; the keys of connections become
                       others), addresses (names of machines, the address clients connect to)

For long captures a NATS that has JetStream can keep a stream by itself, within the same bounds, of
which it forgets the oldest:

  --stream NAME        have the stream made, or its bounds changed, and end
  --from-stream NAME   write what the stream holds to --out
  --from, --to TIME    of that: by the calendar (2006-01-02T15:04:05Z) or so long ago (90m)
  --drop-stream NAME   remove the stream and all that it holds` + operatorFlags

type recordFlagSet struct {
	Flags struct {
		Out     string         `toml:"out"`
		Subject []string       `toml:"subject"`
		MaxSize stage.ByteSize `toml:"max-size"`
		MaxAge  time.Duration  `toml:"max-age"`
		Redact  []string       `toml:"redact"`
		Stream  string         `toml:"stream"`
		Piece   string         `toml:"from-stream"`
		Drop    string         `toml:"drop-stream"`
		From    string         `toml:"from"`
		To      string         `toml:"to"`
	} `toml:"-"`
}

func recordBus(h stage.Host) int {
	var own recordFlagSet
	own.Flags.MaxSize, own.Flags.MaxAge = 1<<30, 24*time.Hour
	o, code, done := newOperator(h, "record", recordHelp, &own)
	if done {
		return code
	}
	if own.Flags.Out == "" {
		own.Flags.Out = "rhea-" + time.Now().UTC().Format("20060102T150405Z") + ".rec"
	}
	flags := own.Flags
	err := own.checkStream()
	if e := record.CheckRedact(flags.Redact); e != nil {
		err = e
	}
	if e := record.CheckSubjects(flags.Subject); e != nil {
		err = e
	}
	switch {
	case len(o.rest) > 0:
		err = fmt.Errorf("%q is not a flag, and nothing else is expected; see --help", o.rest[0])
	case flags.MaxAge < 0:
		err = fmt.Errorf("--max-age is %s: want 0, for any, or more", flags.MaxAge)
	case flags.Out == "-" && isTerminal(h.Stdout):
		err = errors.New("a recording on a terminal is of no use: name a file with --out, or pipe it into rhea show -")
	}
	if err != nil {
		fail(h, "record", err)
		return stage.ExitUsage
	}
	if flags.Stream+flags.Piece+flags.Drop != "" {
		return o.stream(own)
	}
	var p record.Progress
	code = o.withBus(func(ctx context.Context, b *bus.Bus) error {
		line := newLine(h.Stderr)
		options := record.Options{
			Subjects: flags.Subject, Redact: flags.Redact, MaxSize: int64(flags.MaxSize), MaxAge: flags.MaxAge, Version: stage.Version(),
			AllMembers: len(flags.Subject) > 0,
			Started:    func() { fmt.Fprintf(h.Stderr, "rhea: recording to %s; interrupt ends it\n", flags.Out) },
		}
		if line.terminal {
			options.Progress = func(p record.Progress) { line.show(recorded(p)) }
		}
		var err error
		if flags.Out == "-" {
			p, err = record.Run(ctx, b, h.Stdout, options)
		} else {
			p, err = record.ToFile(ctx, b, flags.Out, options)
		}
		line.clear()
		if p.Why != "" {
			fmt.Fprintf(h.Stderr, "rhea: %s to %s\n", recorded(p), flags.Out)
		}
		return err
	})
	if err := missing(p); err != nil && code == stage.ExitOK {
		return fail(h, "record", err)
	}
	return code
}

// recorded says how far a recording has come.
func recorded(p record.Progress) string {
	text := fmt.Sprintf("recorded %s messages, %s, in %s", importer.Thousands(p.Messages), size(p.Bytes), p.Took.Round(time.Second/10))
	if p.Dropped > 0 {
		text += fmt.Sprintf(" · %s lost", importer.Thousands(int(p.Dropped)))
	}
	if p.Reconnects > 0 {
		text += fmt.Sprintf(" · %d × without the bus", p.Reconnects)
	}
	return text
}

// missing is the error of a recording with holes.
func missing(p record.Progress) error {
	switch {
	case p.Dropped > 0:
		return fmt.Errorf("%s messages are missing: this command did not keep up", importer.Thousands(int(p.Dropped)))
	case p.Reconnects > 0:
		return errors.New("messages may be missing: the bus was away for a while")
	}
	return nil
}

// size is a number of bytes for people.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	x := float64(n)
	for len(units) > 1 && x >= 1024 {
		x, units = x/1024, units[1:]
	}
	if units[0] == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", x, units[0])
}

// line is a line of state that stays at the bottom of a terminal. It belongs to one
// goroutine.
type line struct {
	w        io.Writer
	terminal bool
	shown    bool
}

func newLine(w io.Writer) *line { return &line{w: w, terminal: isTerminal(w)} }

func (l *line) show(text string) {
	fmt.Fprint(l.w, clearLine, text)
	l.shown = true
}

func (l *line) clear() {
	if l.shown {
		fmt.Fprint(l.w, clearLine)
		l.shown = false
	}
}
