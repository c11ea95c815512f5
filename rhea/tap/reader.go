package tap

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// CutError says that a recording ends without its end: the recorder was killed, or
// is still at work, or the file was cut. Everything before has been returned.
type CutError struct {
	Messages int   // that were returned
	Bytes    int64 // at the end of the file, of which nothing could be made
}

func (e *CutError) Error() string {
	if e.Bytes == 0 {
		return fmt.Sprintf("the recording is cut: it has no end after its %d messages", e.Messages)
	}
	return fmt.Sprintf("the recording is cut: after its %d messages are %d bytes of a block without an end", e.Messages, e.Bytes)
}

// DamageError says that a piece of a recording, or a part of that piece, was left
// out because it is damaged. The reader goes on behind it.
type DamageError struct {
	At    int64 // where in the file the piece begins
	Bytes int64
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("the recording is damaged within the %d bytes from byte %d on: what cannot be read of them is left out", e.Bytes, e.At)
}

// Reader reads a recording from its beginning. It belongs to one goroutine.
type Reader struct {
	// Note, if it is set, is called by Next for each note, when its turn comes.
	Note func(Note)

	from     *bufio.Reader
	at       int64 // in the file, of what from reads next
	unpacker unpacker
	header   Header
	records  []byte      // of the block being read, what is left
	block    DamageError // where that block is
	messages int
	ended    bool
}

// NewReader reads the beginning of a recording, up to its header. It fails when
// that is not one.
func NewReader(r io.Reader) (*Reader, error) {
	u, err := newUnpacker()
	if err != nil {
		return nil, fmt.Errorf("tap: %w", err)
	}
	rd := &Reader{from: bufio.NewReaderSize(r, blockHead+maxStored), unpacker: u}
	start, err := rd.from.Peek(len(magic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("tap: %w", err)
	}
	if string(start) != magic {
		return nil, errors.New("this is not a recording")
	}
	rd.skip(len(magic))
	if err := rd.nextBlock(); err != nil {
		if _, cut := errors.AsType[*CutError](err); cut {
			return nil, errors.New("the recording is cut within its header: nothing of it can be read")
		}
		return nil, err
	}
	kind, body, rest, err := cutRecord(rd.records)
	if err != nil || kind != recordHeader || len(rest) > 0 {
		return nil, errors.New("the recording does not begin with a header")
	}
	if rd.header, err = parseHeader(body); err != nil {
		return nil, err
	}
	rd.records = nil
	return rd, nil
}

// Header returns what the recording says of itself.
func (r *Reader) Header() Header { return r.header }

// Next returns the next message, which is the caller's to keep. The error is
// io.EOF at the end of a whole recording, a *CutError at the end of one that is
// not, and a *DamageError once for each piece that is left out, after which Next
// goes on.
func (r *Reader) Next() (Message, error) {
	for {
		if r.ended {
			return Message{}, io.EOF
		}
		if len(r.records) == 0 {
			if err := r.nextBlock(); err != nil {
				return Message{}, err
			}
		}
		kind, body, rest, err := cutRecord(r.records)
		r.records = rest
		if err != nil {
			return Message{}, r.malformed()
		}
		switch kind {
		case recordMessage:
			m, err := parseMessage(body)
			if err != nil {
				return Message{}, r.malformed()
			}
			r.messages++
			return m, nil
		case recordNote:
			n, err := parseNote(body)
			if err != nil {
				return Message{}, r.malformed()
			}
			r.ended = n.Kind == Ended
			if r.Note != nil {
				r.Note(n)
			}
		}
	}
}

// malformed is for a record that a sound block holds and that is none: a program
// that is not ours wrote it. The rest of the block is left out.
func (r *Reader) malformed() error {
	r.records = nil
	damage := r.block
	return &damage
}

// nextBlock reads the next block that is whole.
func (r *Reader) nextBlock() error {
	began := r.at
	for {
		size, unpacked, err := r.look()
		switch {
		case err == nil && r.at > began:
			return &DamageError{At: began, Bytes: r.at - began}
		case err == nil:
			block, _ := r.from.Peek(size) // look has seen it
			records, err := r.unpacker.unpack(block, unpacked)
			r.block = DamageError{At: began, Bytes: int64(size)}
			r.skip(size)
			if err != nil {
				return r.malformed()
			}
			r.records = records
			return nil
		case errors.Is(err, errBlock):
			if err := r.seek(); err != nil {
				return r.atEnd(began, err)
			}
		default:
			return r.atEnd(began, err)
		}
	}
}

// atEnd says what an error of the file means for what began before it.
func (r *Reader) atEnd(began int64, err error) error {
	if errors.Is(err, io.EOF) {
		left := r.at - began + int64(r.from.Buffered())
		return &CutError{Messages: r.messages, Bytes: left}
	}
	return fmt.Errorf("tap: read the recording: %w", err)
}

// look says whether a whole and sound block stands here, and how long it is. The
// error is errBlock, or the file's, io.EOF when the block does not end before it.
func (r *Reader) look() (size, unpacked int, err error) {
	head, err := r.from.Peek(blockHead)
	if err != nil {
		return 0, 0, err
	}
	stored, unpacked, err := blockSize(head)
	if err != nil {
		return 0, 0, err
	}
	block, err := r.from.Peek(blockHead + stored)
	if errors.Is(err, io.EOF) {
		// It may be the last, cut; or its length is damaged, and others follow.
		if bytes.Contains(block[len(mark):], []byte(mark)) {
			return 0, 0, errBlock
		}
		return 0, 0, io.EOF
	}
	if err != nil {
		return 0, 0, err
	}
	if !sound(block) {
		return 0, 0, errBlock
	}
	return blockHead + stored, unpacked, nil
}

// seek goes on to the next mark behind this byte, to the end if there is none.
func (r *Reader) seek() error {
	r.skip(1)
	for {
		if _, err := r.from.Peek(blockHead); err != nil {
			return err
		}
		ahead, _ := r.from.Peek(r.from.Buffered())
		i := bytes.Index(ahead, []byte(mark))
		if i == 0 {
			return nil
		}
		if i < 0 {
			i = len(ahead) - len(mark) + 1 // the rest of a mark may follow
		}
		r.skip(i)
		if bytes.HasPrefix(ahead[i:], []byte(mark)) {
			return nil
		}
	}
}

func (r *Reader) skip(n int) {
	r.from.Discard(n) // all callers have looked at the bytes
	r.at += int64(n)
}
