package deflate

import (
	"compress/flate"
	"errors"
	"io"
	"slices"
	"sync"
)

// Why a client's message cannot be inflated.
var (
	// ErrTooLong says that it would have more bytes than it may.
	ErrTooLong = errors.New("the message is too long")
	// ErrMalformed says that it is not what RFC 7692 makes of a message.
	ErrMalformed = errors.New("the message is not compressed as it says")
)

// Inflater inflates messages. Idle, it keeps what the garbage collector leaves it.
// The zero value is ready.
type Inflater struct{ pool sync.Pool }

// firstPiece is how much space a message gets before it has shown that it needs
// more; from there on the space doubles, so that a small message that claims to be
// a large one takes no more than its limit.
const firstPiece = 1 << 10

// Append appends a message of at most limit bytes whose payload, all fragments in
// one, is given. What it appends to comes back with the error ErrTooLong, as soon as
// the limit is passed, or ErrMalformed.
func (i *Inflater) Append(dst, payload []byte, limit int) ([]byte, error) {
	m, ok := i.pool.Get().(*inflation)
	if !ok {
		m = new(inflation)
		m.flate = flate.NewReader(&m.source)
	}
	defer i.pool.Put(m)
	m.source.reset(payload)
	defer m.source.reset(nil) // the payload is the caller's
	if err := m.flate.(flate.Resetter).Reset(&m.source, nil); err != nil {
		return dst, ErrMalformed
	}
	start := len(dst)
	dst = slices.Grow(dst, min(limit, firstPiece)+1)
	for {
		room := dst[len(dst):min(cap(dst), start+limit+1)]
		n, err := m.flate.Read(room)
		dst = dst[:len(dst)+n]
		switch {
		case len(dst)-start > limit:
			return dst[:start], ErrTooLong
		case err == io.EOF && m.source.ended():
			return dst, nil
		case err != nil:
			return dst[:start], ErrMalformed
		case len(dst) == cap(dst):
			dst = slices.Grow(dst, min(len(dst)-start, start+limit+1-len(dst)))
		}
	}
}

// inflation is a pooled inflater and what it reads.
type inflation struct {
	source source
	flate  io.ReadCloser
}

const (
	// tail is what a sender has cut off its message's end: all but the first byte of
	// an empty stored block (RFC 7692, 7.2.2).
	tail = "\x00\x00\xff\xff"
	// end is an empty stored block that is the last one, for the inflater to stop.
	end = "\x01\x00\x00\xff\xff"
)

// source is a payload and what has to follow it, byte by byte: so an inflater takes
// no more than it needs.
type source struct {
	payload []byte
	after   string
}

func (s *source) reset(payload []byte) { s.payload, s.after = payload, tail+end }

// ended says whether an inflater that has seen a last block has seen all. It may be
// the payload's own (7.2.3.4); then the empty block that begins with the payload's
// last byte is left.
func (s *source) ended() bool {
	return len(s.payload)+len(s.after) == 0 ||
		len(s.payload) == 1 && s.payload[0] == 0 && s.after == tail+end
}

func (s *source) ReadByte() (b byte, err error) {
	switch {
	case len(s.payload) > 0:
		b, s.payload = s.payload[0], s.payload[1:]
	case s.after != "":
		b, s.after = s.after[0], s.after[1:]
	default:
		err = io.EOF
	}
	return b, err
}

func (s *source) Read(p []byte) (n int, err error) {
	n = copy(p, s.payload)
	s.payload = s.payload[n:]
	m := copy(p[n:], s.after)
	s.after = s.after[m:]
	if n+m == 0 && len(p) > 0 {
		err = io.EOF
	}
	return n + m, err
}
