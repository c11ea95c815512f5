package tap

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrTooLarge is returned for a message that no recording holds. It is not in the
// file, and the writer goes on.
var ErrTooLarge = fmt.Errorf("tap: a message of more than %d bytes, or with a subject of more than %d", MaxData, MaxSubject)

// Writer writes a recording. It belongs to one goroutine.
//
// It gathers records and writes a block when it has 64 KiB, or at a Flush: whoever
// uses it calls that every so often, and what has not been flushed is what a crash
// costs. Every block leaves in one Write. After an error of the file, which every
// later call repeats, Whole says where the last whole block ends: cutting the file
// there makes it sound.
type Writer struct {
	to      io.Writer
	packer  packer
	records []byte // of the block being gathered
	block   []byte
	whole   int64
	failed  error
}

// NewWriter begins a recording: it writes the magic and the header, whose Format
// it sets.
func NewWriter(to io.Writer, h Header) (*Writer, error) {
	h.Format = Format
	text, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("tap: the header: %w", err)
	}
	if len(text) > MaxData {
		return nil, fmt.Errorf("tap: the header has %d bytes: %d is the most", len(text), MaxData)
	}
	p, err := newPacker()
	if err != nil {
		return nil, fmt.Errorf("tap: %w", err)
	}
	w := &Writer{to: to, packer: p, block: []byte(magic)}
	w.records = appendRecord(nil, recordHeader, text)
	return w, w.Flush()
}

// Append adds a message, of which it keeps nothing. It fails with ErrTooLarge, or
// with what the file says.
func (w *Writer) Append(m Message) error {
	if len(m.Data) > MaxData || len(m.Subject) > MaxSubject || len(m.Reply) > MaxSubject || m.Subject == "" {
		return ErrTooLarge
	}
	w.records = appendMessage(w.records, m)
	return w.full()
}

// Note adds a note. Close adds the one that says Ended.
func (w *Writer) Note(n Note) error {
	w.records = appendNote(w.records, n)
	return w.full()
}

func (w *Writer) full() error {
	if len(w.records) < blockTarget {
		return w.failed
	}
	return w.Flush()
}

// Flush writes what has been gathered, so that a reader of the file finds it. It
// does not wait for the disk.
func (w *Writer) Flush() error {
	if w.failed != nil || len(w.records) == 0 {
		return w.failed
	}
	w.block = w.packer.pack(w.block, w.records)
	n, err := w.to.Write(w.block)
	if err == nil && n < len(w.block) {
		err = io.ErrShortWrite
	}
	if err != nil {
		w.failed = fmt.Errorf("tap: write the recording: %w", err)
		return w.failed
	}
	w.whole += int64(len(w.block))
	w.block, w.records = w.block[:0], w.records[:0]
	return nil
}

// Whole returns how many bytes of the file are whole blocks.
func (w *Writer) Whole() int64 { return w.whole }

// Close ends the recording at a time and for a reason that people can read. It
// does not close the file. Nothing can be appended afterwards.
func (w *Writer) Close(at time.Time, why string) error {
	if w.failed != nil {
		return w.failed
	}
	w.records = appendNote(w.records, Note{At: at, Kind: Ended, Text: why})
	if err := w.Flush(); err != nil {
		return err
	}
	w.failed = errors.New("tap: the recording is closed")
	return nil
}
