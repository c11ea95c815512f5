package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"rhea/proto/bus"
	"rhea/proto/stage"
	"rhea/proto/subject"
	"rhea/rhea/datadir"
	"rhea/rhea/importer"
	"rhea/rhea/replay"
	"rhea/rhea/settings"
	"rhea/rhea/tap"
)

const replayHelp = `Usage: rhea replay [flags] FILE

Asks again what the clients of a recording have asked (rhea record), in the same order, and compares
the answers. Without more, a relay of its own with an empty store is asked, in this process, which
leaves nothing behind. Each setting of a relay can be given, to see what it would have changed:
--limits.max_limit=100, --policy.auth=required, --bus.shards=1.

  --expect             print the differences, and end with exit code 1 if there are any
  --stage NAME         into one stage alone: ingester, writer, reqworker, monitor, negentropy;
                       whatever it asks of others is answered from the recording
  --speed SPEED        max (as fast as the answers come), 1x (as it was), 10x and the like,
                       or step: Enter plays the next message, q ends
  --subject LIST       ask only what was said on these, such as 'req.>,sub.>'
  --data DIR           keep the relay's store there, which must have none yet
  --to URL             into the stages on another bus, a NATS server; their store must be empty,
                       what they judge by their own clock (AUTH, expiration) is not compared
                       (more in --bus.prefix, --bus.shards, --bus.credentials, --bus.ca)
  --force              with --to: though the store is not empty
  --cut-ok             a recording without its end is none the worse: exit code 0
  --config FILE        read settings from a relay's TOML file (or RHEA_CONFIG)

Exit codes: 0 played, and as recorded; 1 it differs (--expect), is cut, or has failed; 64 bad command line.
`

type replayFlags struct {
	Expect  bool     `toml:"expect"`
	Stage   string   `toml:"stage"`
	Speed   string   `toml:"speed"`
	Subject []string `toml:"subject"`
	Data    string   `toml:"data"`
	To      string   `toml:"to"`
	Force   bool     `toml:"force"`
	CutOK   bool     `toml:"cut-ok"`
}

// replaying is a replay whose command line has been read.
type replaying struct {
	h     stage.Host
	flags replayFlags
	cfg   settings.Relay
	file  *os.File
	from  *tap.Reader
	o     replay.Options
	line  *line
	shown int // differences
	rest  int // that are not shown
}

// maxDifferences bounds how many differences are printed.
const maxDifferences = 20

func replayRecording(h stage.Host) int {
	r := &replaying{h: h, cfg: defaultRelay(), line: newLine(h.Stderr)}
	own := struct {
		Flags replayFlags `toml:"-"`
	}{replayFlags{Speed: "max"}}
	l := &stage.Loader{Name: "rhea replay", Config: []any{&r.cfg, &own}}
	rest, mode, code, done := load(h, l, replayHelp, unalias(h.Args, map[string]string{"--data": "--data", "--bus": "--to"}))
	if done {
		return code
	}
	if mode == stage.ModePrintConfig {
		if err := l.WriteConfig(h.Stdout); err != nil {
			return fail(h, "replay", err)
		}
		return stage.ExitOK
	}
	r.flags = own.Flags
	if err := r.options(rest); err != nil {
		fail(h, "replay", err)
		return stage.ExitUsage
	}
	if err := r.open(rest[0]); err != nil {
		return fail(h, "replay", err)
	}
	defer r.file.Close() // it was only read
	return r.run()
}

// options makes sense of the command line.
func (r *replaying) options(rest []string) error {
	f := r.flags
	switch {
	case len(rest) == 0:
		return errors.New("which recording? rhea replay FILE; see --help")
	case len(rest) > 1:
		return fmt.Errorf("%q: one recording at a time", rest[1])
	case f.To != "" && f.Data != "":
		return errors.New("--data is for a relay of this process's own, and --to for another: not both")
	case f.Data != "" && f.Stage != "" && f.Stage != string(subject.Writer):
		return fmt.Errorf("--data: a %s that is alone has no store", f.Stage)
	case f.Force && f.To == "":
		return errors.New("--force is for --to: a relay of this process's own begins with an empty store")
	}
	speed, step, err := speedOf(f.Speed)
	if err != nil {
		return err
	}
	r.o = replay.Options{
		Under: subject.Stage(f.Stage), Subjects: f.Subject, Speed: speed, Clock: new(replay.Clock), Force: f.Force,
	}
	if step {
		r.o.Step = r.step(bufio.NewReader(r.h.Stdin))
	}
	if f.Expect {
		r.o.Tell = r.tell
	}
	if r.line.terminal && !step {
		r.o.Progress = r.progress
	}
	return nil
}

// speedOf reads a speed; 0 is as fast as can be.
func speedOf(text string) (speed float64, step bool, err error) {
	switch text {
	case "max":
		return 0, false, nil
	case "step":
		return 0, true, nil
	}
	number, isTimes := strings.CutSuffix(text, "x")
	speed, err = strconv.ParseFloat(number, 64)
	if !isTimes || err != nil || !(speed >= 0.001 && speed <= 1e6) {
		return 0, false, fmt.Errorf("--speed is %q: want max, step, or a number with an x, such as 1x", text)
	}
	return speed, false, nil
}

// open opens the recording and sees whether it can be played.
func (r *replaying) open(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	from, err := tap.NewReader(file)
	if err == nil {
		err = replay.Check(from.Header(), r.o.Under)
	}
	if err != nil {
		file.Close() // it was only read
		return fmt.Errorf("%s: %w", path, err)
	}
	r.file, r.from = file, from
	return nil
}

// run plays, and reports.
func (r *replaying) run() int {
	ctx, kill, stopWatching := stopOnSignals(r.h.Signals, nil)
	defer stopWatching()
	common := stage.DefaultCommon()
	common.Log.Level = "error"
	log := common.Log.NewLogger(r.h.Stderr, "replay", bus.NewInstance())
	type outcome struct {
		result replay.Result
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		result, err := r.play(ctx, log)
		done <- outcome{result, err}
	}()
	var end outcome
	select {
	case end = <-done:
	case <-kill:
		return fail(r.h, "replay", errors.New("interrupted"))
	}
	r.line.clear()
	if end.result.Messages > 0 {
		if r.rest > 0 {
			fmt.Fprintf(r.h.Stdout, "and %d more differences\n\n", r.rest)
		}
		fmt.Fprint(r.h.Stdout, end.result.String())
	}
	if ctx.Err() != nil {
		end.err = errors.New("interrupted")
	}
	if err := r.judge(end.result, end.err); err != nil {
		return fail(r.h, "replay", err)
	}
	return stage.ExitOK
}

// judge says what is wrong with a replay that has ended.
func (r *replaying) judge(result replay.Result, err error) error {
	switch {
	case err != nil:
		return err
	case result.Questions() == 0 && !result.Ended:
		return errors.New("nothing was asked: the recording has no such messages")
	case r.flags.Expect && !result.Matches():
		return fmt.Errorf("%d of %d questions have other answers than in the recording", result.Differing+result.Unanswered, result.Questions())
	case result.Cut != nil && !r.flags.CutOK:
		return fmt.Errorf("%w; all of them were played (--cut-ok: exit code 0)", result.Cut)
	}
	return nil
}

// play finds or makes the stages to play to.
func (r *replaying) play(ctx context.Context, log *slog.Logger) (replay.Result, error) {
	if r.flags.To != "" {
		c := r.cfg.Bus
		c.URL = r.flags.To
		r.o.Elsewhere = true
		dialing, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		join := func() (*bus.Bus, error) { return bus.Dial(dialing, c, bus.NewInstance(), "replay", log) }
		return replay.Run(ctx, r.from, join, r.o)
	}
	data := r.flags.Data
	if data == "" {
		temporary, err := os.MkdirTemp("", "rhea-replay-")
		if err != nil {
			return replay.Result{}, err
		}
		defer os.RemoveAll(temporary) // what is left of it is the system's to clean up
		data = temporary
	} else if _, err := os.Stat(datadir.Store(data)); err == nil {
		return replay.Result{}, fmt.Errorf("%s has a store already; a replay begins with an empty one", data)
	}
	held, err := datadir.Hold(data, "rhea replay")
	if err != nil {
		return replay.Result{}, err
	}
	defer held.Release() // nothing of it was announced
	return r.inside(ctx, data, log)
}

// inside plays to stages in this process.
func (r *replaying) inside(ctx context.Context, data string, log *slog.Logger) (result replay.Result, err error) {
	space, err := subject.New(r.cfg.Bus.Prefix, r.cfg.Bus.Shards)
	if err != nil {
		return result, err
	}
	r.cfg.Writer.Dir = datadir.Store(data)
	own := replay.Own{
		Under: r.o.Under, Space: space, Settings: r.cfg, Clock: r.o.Clock, Log: log,
	}
	err = own.With(ctx, func(ctx context.Context, join replay.Join) error {
		result, err = replay.Run(ctx, r.from, join, r.o)
		return err
	})
	return result, err
}

// tell prints a difference.
func (r *replaying) tell(d replay.Difference) {
	if r.shown++; r.shown > maxDifferences {
		r.rest++
		return
	}
	r.line.clear()
	fmt.Fprintln(r.h.Stdout, d)
}

// step shows the message that comes next, and waits for Enter.
func (r *replaying) step(in *bufio.Reader) func(string) bool {
	return func(text string) bool {
		fmt.Fprintln(r.h.Stdout, text)
		answer, err := in.ReadString('\n')
		return err == nil && strings.TrimSpace(answer) != "q"
	}
}

func (r *replaying) progress(result replay.Result, at time.Duration) {
	r.line.show(fmt.Sprintf("at +%s · %s questions, %s answered · %s differ", at.Round(time.Second),
		importer.Thousands(result.Questions()), importer.Thousands(result.Answered), importer.Thousands(result.Differing)))
}
