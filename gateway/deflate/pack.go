package deflate

import (
	"compress/flate"
	"encoding/binary"
	"errors"
	"math"
	"sync"
)

// level is what is compressed with. Higher ones cost twice as much to save 6 % more;
// see BenchmarkLevels.
const level = flate.BestSpeed

// Packer compresses. Idle, it keeps what the garbage collector leaves it. The zero
// value is ready.
type Packer struct{ pool sync.Pool }

// Message appends the payload of a message. It says false, and appends nothing, when
// that would not be shorter than the text.
func (p *Packer) Message(dst, text []byte) (_ []byte, shorter bool) {
	return p.pack(dst, text, 0)
}

// Run appends the run of an event: what makes a payload when AppendStored's block of
// what comes before the event is put before it. The bracket that ends the message is
// in it. It says false, and appends nothing, when the message would not be shorter.
func (p *Packer) Run(dst, json []byte) (_ []byte, shorter bool) {
	return p.pack(dst, json, 1)
}

// pack appends blocks that make text and the first ends bytes of an event's end.
func (p *Packer) pack(dst, text []byte, ends int) (_ []byte, shorter bool) {
	c, ok := p.pool.Get().(*compression)
	if !ok {
		c = &compression{end: [1]byte{']'}}
		c.flate, _ = flate.NewWriter(c, level) // fails only for a level that there is not
	}
	defer p.pool.Put(c)
	c.out, c.most = dst, len(dst)+len(text)-ends*StoredHeader+len(tail)
	defer func() { c.out = nil }() // it is the caller's
	c.flate.Reset(c)
	_, err := c.flate.Write(text)
	if err == nil && ends > 0 {
		_, err = c.flate.Write(c.end[:ends])
	}
	if err == nil {
		err = c.flate.Flush()
	}
	if err != nil {
		return dst, false
	}
	return c.out[:len(c.out)-len(tail)], true
}

// compression is a pooled compressor and where it writes to.
type compression struct {
	flate *flate.Writer
	out   []byte
	most  int // that out may have
	end   [1]byte
}

// Write takes in compressed bytes for as long as they are worth it.
func (c *compression) Write(b []byte) (int, error) {
	if len(c.out)+len(b) >= c.most {
		return 0, errLonger
	}
	c.out = append(c.out, b...)
	return len(b), nil
}

var errLonger = errors.New("it is not shorter than before")

// StoredHeader is how much a stored block adds to what is in it.
const StoredHeader = 5

// MaxStored is how many bytes a stored block has at most.
const MaxStored = math.MaxUint16

// AppendStored appends a stored block of at most MaxStored bytes, which begins on a
// byte and ends on one. It compresses nothing.
func AppendStored(dst, text []byte) []byte {
	dst = append(dst, 0) // not the last one, and stored; then up to the next byte
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(text)))
	dst = binary.LittleEndian.AppendUint16(dst, ^uint16(len(text)))
	return append(dst, text...)
}
