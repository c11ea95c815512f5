// Package importer publishes events from files through a running relay's bus, as
// a gateway would, with an instance and an out inbox of its own but without being
// on the roster: it is no stage.
//
//	arrives   lines of JSON; Verdicts on out.<instance>; the roster
//	leaves    EventFrames to ingest.<shard>, spread over all shards
//	owns      the raw events that are not answered yet (4 MiB), to send them again
//	order     none between lines: the store's rules do not depend on it
//	on death  run it again; what was stored before is answered as a duplicate
//
// An event is sent again when its shard's ingester or the writer has been
// replaced, and when it is unanswered for two seconds, then four, and so on.
// Repeating one is harmless: the writer knows it by its id.
package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
)

// Options say what to import and where to report.
type Options struct {
	Files   []string  // paths; "-" or none at all is Stdin
	Stdin   io.Reader // read when asked for
	Trusted bool      // signatures are not verified
	MaxLine int       // bytes of the longest event
	// Progress, which may be nil, is called a few times a second.
	Progress func(Progress)
	// Note is called for each of the first lines that were rejected.
	Note func(place, reason string)
}

// Progress is how far an import has come.
type Progress struct {
	Result  Result
	Waiting int // events in flight
}

const (
	// givingUp is how long nothing at all may be answered while something waits.
	givingUp = 30 * time.Second
	// beat is the rhythm of resending and of Progress.
	beat = 250 * time.Millisecond
	// maxNotes bounds how many rejected lines are named.
	maxNotes = 10
	// ahead is how many lines are read before there is room for them.
	ahead = 64
	// maxDrain bounds how many bus messages are handled before a flush.
	maxDrain = 256
)

// ErrLost says that the relay has stopped answering.
var ErrLost = fmt.Errorf("the relay has not answered anything for %s", givingUp)

// Run imports until every line has its answer. The result is right even when an
// error is returned: ErrLost, ctx's, or one of reading.
func Run(ctx context.Context, b *bus.Bus, o Options) (Result, error) {
	started := time.Now()
	if err := present(o.Files); err != nil {
		return Result{}, err
	}
	im := &run{
		o: o, bus: b, core: newCore(b.Space, b.Instance, o.Trusted),
		inbox:  bus.Listen(b, func() *relaypb.OutInbox { return new(relaypb.OutInbox) }, 0),
		outbox: b.NewOutbox(), roster: bus.NewRoster(b, "", "", nil),
		lines: make(chan Line, ahead), read: make(chan error, 1),
	}
	if err := im.inbox.Add(b.Space.Out(b.Instance)); err != nil {
		return Result{}, err
	}
	defer im.inbox.Close()
	err := im.roster.While(ctx, im.run)
	im.core.result.Unanswered = len(im.core.waiting)
	im.core.result.Took = time.Since(started)
	return im.core.result, err
}

// present makes a misspelt name known before the first event is sent.
func present(files []string) error {
	for _, name := range files {
		if name == "-" {
			continue
		}
		if _, err := os.Stat(name); err != nil {
			return err
		}
	}
	return nil
}

// run is the shell around the core; all fields but o and the channels are the
// loop's.
type run struct {
	o      Options
	bus    *bus.Bus
	core   *core
	inbox  *bus.Inbox[*relaypb.OutInbox]
	outbox *bus.Outbox
	roster *bus.Roster
	lines  chan Line  // closed by the reader
	read   chan error // the reader's end
	notes  int
	latest time.Time // of the last answer, or of the first event after a pause
	ended  bool      // all lines are read
}

func (im *run) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	select {
	case <-im.roster.Settled():
	case <-ctx.Done():
		return ctx.Err()
	}
	// The reader ends with its files or with ctx; but not while a Read blocks, as
	// one of a terminal may for ever, so nobody waits for it.
	go func() {
		im.read <- im.readAll(ctx)
		close(im.lines)
	}()
	return im.loop(ctx)
}

// readAll reads the files one after the other.
func (im *run) readAll(ctx context.Context) error {
	if len(im.o.Files) == 0 {
		return readLines(ctx, "", im.o.Stdin, im.o.MaxLine, im.lines)
	}
	for _, name := range im.o.Files {
		if err := im.readFile(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (im *run) readFile(ctx context.Context, name string) error {
	if name == "-" {
		return readLines(ctx, "", im.o.Stdin, im.o.MaxLine, im.lines)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return readLines(ctx, name, f, im.o.MaxLine, im.lines)
}

// loop returns when all lines are read and answered.
func (im *run) loop(ctx context.Context) error {
	changes := im.roster.Changes()
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	im.latest = time.Now()
	var readErr error
	var next *Line // read, and waiting for room in the window
	for !im.ended || next != nil || len(im.core.waiting) > 0 {
		lines := im.lines
		if next != nil || im.ended {
			lines = nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(readErr, ctx.Err())
		case line, ok := <-lines:
			if !ok {
				im.ended, readErr = true, <-im.read
				continue
			}
			next = &line
		case msg := <-im.inbox.C():
			im.hear(msg)
		case <-changes:
			im.core.look(im.roster.View(), time.Now())
		case now := <-ticker.C:
			im.core.tick(now)
			im.report()
			if len(im.core.waiting) > 0 && now.Sub(im.latest) > givingUp {
				return errors.Join(readErr, ErrLost)
			}
		}
		next = im.take(next)
		im.flush()
	}
	im.report()
	return readErr
}

// hear handles a message and what waits behind it.
func (im *run) hear(msg *bus.Message) {
	for range maxDrain {
		im.inbox.Each(msg, func(m *relaypb.OutInbox) {
			v := m.GetVerdict()
			if v == nil {
				return
			}
			e := im.core.verdict(v)
			if e == nil {
				return
			}
			im.latest = time.Now()
			switch v.Outcome {
			case relaypb.Outcome_NEW, relaypb.Outcome_DUPLICATE, relaypb.Outcome_EPHEMERAL, relaypb.Outcome_REPLACED:
			default:
				im.note(e.line, v.Text)
			}
		})
		select {
		case msg = <-im.inbox.C():
		default:
			return
		}
	}
}

// take hands a line, and those that wait behind it, to the core. It returns the
// one that the window has no room for.
func (im *run) take(next *Line) *Line {
	for range maxDrain {
		if next == nil {
			select {
			case line, ok := <-im.lines:
				if !ok {
					return nil // the loop sees it
				}
				next = &line
			default:
				return nil
			}
		}
		if next.TooLong {
			im.core.result.TooLong++
			im.note(*next, fmt.Sprintf("longer than %s bytes", Thousands(im.o.MaxLine)))
		} else {
			if len(im.core.waiting) == 0 {
				im.latest = time.Now()
			}
			if !im.core.add(*next, time.Now()) {
				return next
			}
		}
		next = nil
	}
	return nil
}

// flush puts on the bus what the core has gathered. What cannot be sent now is
// sent again when its time comes.
func (im *run) flush() {
	for _, f := range im.core.out {
		_ = im.outbox.Send(im.bus.Space.Ingest(f.shard), &relaypb.IngestInbox{Body: &relaypb.IngestInbox_Event{Event: f.event}})
	}
	clear(im.core.out)
	im.core.out = im.core.out[:0]
	_ = im.outbox.Flush() // as above
}

func (im *run) note(line Line, reason string) {
	if im.notes++; im.notes <= maxNotes && im.o.Note != nil {
		im.o.Note(line.Place(), reason)
	}
}

func (im *run) report() {
	if im.o.Progress != nil {
		im.o.Progress(Progress{Result: im.core.result, Waiting: len(im.core.waiting)})
	}
}
