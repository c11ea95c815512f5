package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"rhea/proto/bus"
	"rhea/proto/stage"
	"rhea/rhea/operate"
	"rhea/rhea/tap/record"
)

// checkStream refuses flags about streams that do not go together.
func (own recordFlagSet) checkStream() error {
	f := own.Flags
	given := 0
	for _, name := range []string{f.Stream, f.Piece, f.Drop} {
		if name == "" {
			continue
		}
		given++
		if err := record.CheckStream(name); err != nil {
			return err
		}
	}
	for _, when := range []string{f.From, f.To} {
		if _, err := ago(when, time.Now()); err != nil {
			return err
		}
	}
	switch {
	case given > 1:
		return errors.New("one of --stream, --from-stream and --drop-stream")
	case f.Stream != "" && len(f.Redact) > 0:
		return errors.New("NATS keeps everything as it is: --redact goes with --from-stream")
	case f.Piece == "" && f.From+f.To != "":
		return errors.New("--from and --to go with --from-stream")
	case f.Piece != "" && len(f.Subject) > 0:
		return errors.New("--subject goes with --stream: what it keeps is written as a whole")
	}
	return nil
}

// ago reads a time: by the calendar, or so long before now. Empty is none.
func ago(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return at, fmt.Errorf("%q is no time: want 2006-01-02T15:04:05Z, or how long ago, such as 90m", s)
	}
	return at, nil
}

// stream does what the flags say about a JetStream stream.
func (o operator) stream(own recordFlagSet) int {
	return o.withNATS(func(ctx context.Context, nc *nats.Conn, c bus.Config) error {
		f := own.Flags
		switch {
		case f.Drop != "":
			return record.Drop(ctx, nc, f.Drop, c.Prefix)
		case f.Piece != "":
			return takePiece(ctx, o.h, nc, c, own)
		}
		s := record.Stream{Name: f.Stream, Subjects: record.Subjects(c.Prefix, f.Subject), MaxSize: int64(f.MaxSize), MaxAge: f.MaxAge}
		made, err := record.Keep(ctx, nc, s)
		if err != nil {
			return err
		}
		what := "has new bounds"
		if made {
			what = "is made"
		}
		fmt.Fprintf(o.h.Stderr, "rhea: the stream %s %s; NATS keeps %s in it from now on\n", s.Name, what, strings.Join(s.Subjects, ", "))
		return nil
	})
}

func takePiece(ctx context.Context, h stage.Host, nc *nats.Conn, c bus.Config, own recordFlagSet) (err error) {
	f, now := own.Flags, time.Now()
	from, _ := ago(f.From, now) // checkStream has read both
	upto, _ := ago(f.To, now)
	options := record.Options{Redact: f.Redact, MaxSize: int64(f.MaxSize), Version: stage.Version()}
	var p record.Progress
	if f.Out == "-" {
		p, err = record.Take(ctx, nc, f.Piece, c, from, upto, io.Writer(h.Stdout), options)
	} else {
		p, err = record.TakeToFile(ctx, nc, f.Piece, c, from, upto, f.Out, options)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(h.Stderr, "rhea: %s to %s: %s\n", recorded(p), f.Out, p.Why)
	return missing(p)
}

// withNATS connects to the relay's NATS and does the work, as withBus does.
func (o operator) withNATS(work func(ctx context.Context, nc *nats.Conn, c bus.Config) error) int {
	ctx, _, stopWatching := stopOnSignals(o.h.Signals, nil)
	defer stopWatching()
	common := stage.DefaultCommon()
	common.Log.Level = "warn"
	log := common.Log.NewLogger(o.h.Stderr, o.name, bus.NewInstance())
	nc, c, err := operate.Connect(ctx, o.cfg.Up.Data, o.cfg.Bus, o.name, log)
	if err != nil {
		return fail(o.h, o.name, err)
	}
	defer nc.Close()
	if err := work(ctx, nc, c); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		return fail(o.h, o.name, err)
	}
	return stage.ExitOK
}
