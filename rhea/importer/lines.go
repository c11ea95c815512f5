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
}

// Place names the line for a person.
func (l Line) Place() string {
	if l.File == "" {
		return fmt.Sprintf("line %d", l.Number)
	}
	return fmt.Sprintf("%s:%d", l.File, l.Number)
}

// readLines sends the lines of r that are not blank to out. Of a line longer
// than limit bytes, which are all it holds in memory, it sends a note.
func readLines(ctx context.Context, file string, r io.Reader, limit int, out chan<- Line) error {
	buffered := bufio.NewReaderSize(r, 64<<10)
	for number := 1; ; number++ {
		text, tooLong, err := readLine(buffered, limit)
		if err != nil && err != io.EOF {
			return fmt.Errorf("%s: %w", Line{File: file, Number: number}.Place(), err)
		}
		line := Line{File: file, Number: number, Event: bytes.TrimSpace(text), TooLong: tooLong}
		if len(line.Event) > 0 || tooLong {
			select {
			case out <- line:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}

// readLine reads up to the next newline. The text is the caller's to keep.
func readLine(r *bufio.Reader, limit int) (text []byte, tooLong bool, err error) {
	for {
		piece, err := r.ReadSlice('\n')
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
