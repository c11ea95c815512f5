package tap

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Message is a bus message as it was.
type Message struct {
	At      time.Time // when it arrived at the recorder, by its clock, to the nanosecond
	Subject string
	Reply   string // where an answer was asked for; mostly empty
	Data    []byte
}

// NoteKind says what a Note is about. The numbers are those of the format.
type NoteKind uint8

// The notes.
const (
	// Dropped: the recorder could not keep up, and Count messages are missing since
	// the note before.
	Dropped NoteKind = 1
	// Reconnected: the recorder was without the bus for a while, and what was said
	// meanwhile is missing.
	Reconnected NoteKind = 2
	// Ended: the recording ends here, on purpose. Nothing follows.
	Ended NoteKind = 3
)

// String returns the kind's name as docs/format/recording.md has it.
func (k NoteKind) String() string {
	switch k {
	case Dropped:
		return "dropped"
	case Reconnected:
		return "reconnected"
	case Ended:
		return "ended"
	}
	return fmt.Sprintf("note %d", uint8(k))
}

// Note is something that the recorder has to say of the recording.
type Note struct {
	At    time.Time
	Kind  NoteKind
	Count uint64 // Dropped: messages
	Text  string // why, for people; may be empty
}

// What a recording may hold. A writer refuses more, a reader takes it for damage.
const (
	MaxSubject = 1 << 10 // bytes of a subject, and of a reply subject
	MaxData    = 1 << 20 // bytes of a message: NATS's own default limit
)

// The kinds of records. A reader skips those that it does not know.
const (
	recordHeader  = 1
	recordMessage = 2
	recordNote    = 3
)

var errRecord = errors.New("a record is malformed")

// appendRecord appends kind, length and the body's pieces.
func appendRecord(dst []byte, kind byte, pieces ...[]byte) []byte {
	size := 0
	for _, p := range pieces {
		size += len(p)
	}
	dst = binary.AppendUvarint(append(dst, kind), uint64(size))
	for _, p := range pieces {
		dst = append(dst, p...)
	}
	return dst
}

// cutRecord splits the first record off.
func cutRecord(b []byte) (kind byte, body, rest []byte, err error) {
	kind, b = b[0], b[1:]
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return 0, nil, nil, errRecord
	}
	return kind, b[used : used+int(n)], b[used+int(n):], nil
}

func appendMessage(dst []byte, m Message) []byte {
	head := appendTime(make([]byte, 0, 32+len(m.Subject)+len(m.Reply)), m.At)
	head = appendText(head, m.Subject)
	head = appendText(head, m.Reply)
	return appendRecord(dst, recordMessage, head, m.Data)
}

func parseMessage(b []byte) (m Message, err error) {
	if m.At, b, err = cutTime(b); err != nil {
		return m, err
	}
	if m.Subject, b, err = cutText(b); err != nil {
		return m, err
	}
	if m.Reply, b, err = cutText(b); err != nil {
		return m, err
	}
	if len(b) > MaxData || m.Subject == "" {
		return m, errRecord
	}
	m.Data = b
	return m, nil
}

func appendNote(dst []byte, n Note) []byte {
	body := append(appendTime(nil, n.At), byte(n.Kind))
	body = binary.AppendUvarint(body, n.Count)
	return appendRecord(dst, recordNote, body, []byte(n.Text))
}

func parseNote(b []byte) (n Note, err error) {
	if n.At, b, err = cutTime(b); err != nil || len(b) == 0 {
		return n, errRecord
	}
	n.Kind, b = NoteKind(b[0]), b[1:]
	count, used := binary.Uvarint(b)
	if used <= 0 {
		return n, errRecord
	}
	n.Count, n.Text = count, string(b[used:])
	return n, nil
}

func parseHeader(b []byte) (h Header, err error) {
	if err := json.Unmarshal(b, &h); err != nil {
		return h, fmt.Errorf("the header is malformed: %w", err)
	}
	if h.Format != Format {
		return h, fmt.Errorf("the format is version %d, and this is made for version %d", h.Format, Format)
	}
	return h, nil
}

func appendTime(dst []byte, at time.Time) []byte {
	return binary.LittleEndian.AppendUint64(dst, uint64(at.UnixNano()))
}

func cutTime(b []byte) (time.Time, []byte, error) {
	if len(b) < 8 {
		return time.Time{}, nil, errRecord
	}
	return time.Unix(0, int64(binary.LittleEndian.Uint64(b))), b[8:], nil
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func cutText(b []byte) (string, []byte, error) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > MaxSubject || n > uint64(len(b)-used) {
		return "", nil, errRecord
	}
	return string(b[used : used+int(n)]), b[used+int(n):], nil
}
