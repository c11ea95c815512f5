package importer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// Line is one event as it stands in a file.
type Line struct {
	File   string // "" for standard input
	Number int    // from 1
	Event  []byte // without white space around it; nil when TooLong
	// TooLong says that the line goes beyond the limit and was left out.
	TooLong bool
	// Mark, if set, says that this is no line but where the lines before it end: a
	// place that an import can go on from.
	Mark *State
}

// Place names the line for a person.
func (l Line) Place() string {
	if l.File == "" {
		return fmt.Sprintf("line %d", l.Number)
	}
	return fmt.Sprintf("%s:%d", l.File, l.Number)
}

// readLines sends the lines of r that are not blank to out, up to where r cannot be
// read any further; a line that is cut there is not sent. Of an event longer than
// limit bytes it sends a note, and holds no more than maxRaw of it in memory. With
// from, it begins there and sends marks.
func readLines(ctx context.Context, file string, r io.Reader, limit int, from *State, out chan<- Line) error {
	unpacked, err := unpack(r)
	if err != nil {
		return fmt.Errorf("%s: %w", Line{File: file, Number: 1}.Place(), explain(err))
	}
	defer unpacked.Close()
	var track *tracker
	first := 1
	if from != nil {
		if track, err = skip(file, unpacked, *from); err != nil {
			return err
		}
		first += from.Lines
	}
	buffered := bufio.NewReaderSize(unpacked, 64<<10)
	for number := first; ; number++ {
		text, tooLong, err := readLine(buffered, maxRaw(limit), track)
		if err != nil && err != io.EOF {
			return fmt.Errorf("%s: %w", Line{File: file, Number: number}.Place(), explain(err))
		}
		line := Line{File: file, Number: number, Event: unfried(bytes.TrimSpace(text)), TooLong: tooLong}
		if len(line.Event) > limit {
			line.Event, line.TooLong = nil, true
		}
		if len(line.Event) > 0 || line.TooLong {
			if err := send(ctx, out, line); err != nil {
				return err
			}
		}
		if mark := track.mark(err == io.EOF); mark != nil {
			if err := send(ctx, out, Line{File: file, Mark: mark}); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}

func send(ctx context.Context, out chan<- Line, line Line) error {
	select {
	case out <- line:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// maxRaw is the longest line that can hold an event of limit bytes: with strfry's
// fried member, which repeats in hex the id, the pubkey, three numbers and the tags.
func maxRaw(limit int) int { return 3*limit + 512 }

// unfried takes the member off that `strfry export --fried` appends to an event: the
// same once more in hex (strfry's docs/fried.md), which nobody here reads and which
// would count as part of the event's size. It is the last one, as strfry wants it,
// and quotes within strings are escaped, so nothing else looks like it.
func unfried(line []byte) []byte {
	at := bytes.LastIndex(line, []byte(`,"fried":"`))
	if at < 0 || !bytes.HasSuffix(line, []byte(`"}`)) {
		return line
	}
	return append(line[:at], '}')
}

// readLine reads up to the next newline. The text is the caller's to keep.
func readLine(r *bufio.Reader, limit int, track *tracker) (text []byte, tooLong bool, err error) {
	for {
		piece, err := r.ReadSlice('\n')
		track.take(piece)
		if len(text)+len(bytes.TrimRight(piece, "\r\n")) > limit {
			text, tooLong = nil, true
		}
		if !tooLong {
			text = append(text, piece...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return text, tooLong, err
		}
	}
}
