package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"rhea/proto/stage"
	"rhea/rhea/tap"
	tapshow "rhea/rhea/tap/show"
)

const showHelp = `Usage: rhea show [flags] FILE

Prints a recording (rhea record), a line for each message: when, how long it was on the way, the
subject, the message and what it says. Of a recording that is cut or damaged it prints what is
whole, then says what is not, and ends with exit code 1. - is standard input.

  --conn ID            what belongs to one connection: 1a2b3c4d-17, as in logs
  --event ID           what holds or names an event: its id, or the first 8 or more hex digits
  --subject SUBJECT    one subject, or with wildcards several: 'ingest.>'
  --from, --to TIME    since the beginning (1.5s, 2m) or by the calendar (2006-01-02T15:04:05Z)
  --json               a JSON object a line, with everything
  --follow             at the end wait for more, until the recording ends or you interrupt

  rhea record --out - | rhea show -
  rhea show --conn 1a2b3c4d-17 x.rec | grep -v Credit
`

type showFlagSet struct {
	Flags struct {
		Conn    string `toml:"conn"`
		Event   string `toml:"event"`
		Subject string `toml:"subject"`
		From    string `toml:"from"`
		To      string `toml:"to"`
		JSON    bool   `toml:"json"`
		Follow  bool   `toml:"follow"`
	} `toml:"-"`
}

func showRecording(h stage.Host) int {
	var own showFlagSet
	l := &stage.Loader{Name: "rhea show", Config: []any{&own}}
	rest, mode, code, done := load(h, l, showHelp, h.Args)
	if done {
		return code
	}
	if mode == stage.ModePrintConfig {
		return stage.ExitOK // it has no settings
	}
	o, err := own.options()
	if len(rest) != 1 {
		err = errors.New("which recording? Name one file, or - for standard input; see --help")
	}
	if err != nil {
		fail(h, "show", err)
		return stage.ExitUsage
	}
	var from io.Reader = h.Stdin
	if rest[0] != "-" {
		file, err := os.Open(rest[0])
		if err != nil {
			return fail(h, "show", err)
		}
		defer file.Close()
		from = file
	}
	ctx, _, stopWatching := stopOnSignals(h.Signals, nil)
	defer stopWatching()
	if own.Flags.Follow {
		from = tapshow.Follow(ctx, from)
	}
	o.Live = o.Live || rest[0] == "-"
	if err := showFrom(ctx, h, from, o); err != nil {
		return fail(h, "show", fmt.Errorf("%s: %w", rest[0], err))
	}
	return stage.ExitOK
}

func (own showFlagSet) options() (o tapshow.Options, err error) {
	f := own.Flags
	o = tapshow.Options{JSON: f.JSON, Live: f.Follow}
	o.Filter.Subject = f.Subject
	var errs [4]error
	if f.Conn != "" {
		o.Filter.Conn, errs[0] = tapshow.ParseConn(f.Conn)
	}
	if f.Event != "" {
		o.Filter.Event, errs[1] = tapshow.ParseEvent(f.Event)
	}
	o.Filter.From, errs[2] = tapshow.ParseWhen(f.From)
	o.Filter.To, errs[3] = tapshow.ParseWhen(f.To)
	for _, err := range errs {
		if err != nil {
			return o, err
		}
	}
	return o, nil
}

// showFrom shows to the end of a recording, or until it is interrupted.
func showFrom(ctx context.Context, h stage.Host, from io.Reader, o tapshow.Options) error {
	done := make(chan error, 1)
	go func() {
		r, err := tap.NewReader(from)
		if err == nil {
			var result tapshow.Result
			result, err = tapshow.Run(r, h.Stdout, o)
			if err == nil && result.Damaged > 0 {
				err = fmt.Errorf("%d pieces are damaged and left out", result.Damaged)
			}
		}
		done <- err
	}()
	select {
	case err := <-done:
		if ctx.Err() != nil {
			return nil // this is how following ends
		}
		return err
	case <-ctx.Done():
		return nil // standard input may never say anything again
	}
}
