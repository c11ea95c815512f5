package wire

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"sync"
)

// inflater inflates what connections get. Subscribers of one relay get the same bytes
// after the same bytes over and over, and inflating them each time would take more than
// many a relay takes to compress them. So what a message has come to is kept, under
// hashes of its bytes and of all that the connection had got before, as far as that
// matters. It is safe for concurrent use.
type inflater struct {
	seed    maphash.Seed
	engines sync.Pool // of *engine

	mu         sync.Mutex
	young, old map[hashes][]byte // old is what was young before
	size       int               // of the texts in young, in bytes
}

// hashes stand for a message where it came.
type hashes struct{ past, payload uint64 }

// past is what a connection has got: what its next message may refer to. It belongs to
// the connection's reader, and stays empty where no context is taken over.
type past struct {
	hash  uint64
	texts [][]byte // the last ones
	size  int      // of them
}

const (
	window     = 32 << 10 // how far back a message may refer (RFC 7692, 7.1.2)
	generation = 8 << 20  // bytes of texts that are kept, twice
	// blockTail is what a sender has cut off (RFC 7692, 7.2.2), and an empty last block.
	blockTail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"
)

func newInflater() *inflater {
	return &inflater{seed: maphash.MakeSeed(), young: make(map[hashes][]byte)}
}

// text returns what a payload says, which is not to be changed. With takeover it goes
// on from p, and p with it.
func (i *inflater) text(p *past, payload []byte, takeover bool) ([]byte, error) {
	key := hashes{p.hash, maphash.Bytes(i.seed, payload)}
	text, kept := i.kept(key)
	if !kept {
		var err error
		if text, err = i.inflate(p, payload); err != nil {
			return nil, err
		}
		i.keep(key, text)
	}
	if takeover {
		p.add(key, text)
	}
	return text, nil
}

func (i *inflater) kept(key hashes) ([]byte, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if text, ok := i.young[key]; ok {
		return text, true
	}
	text, ok := i.old[key]
	return text, ok
}

func (i *inflater) keep(key hashes, text []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.size > generation {
		i.young, i.old, i.size = make(map[hashes][]byte), i.young, 0
	}
	i.young[key] = text
	i.size += len(text)
}

func (p *past) add(key hashes, text []byte) {
	const odd = 0x9e3779b97f4a7c15 // so that the order matters
	p.hash = (key.past+1)*odd ^ key.payload
	p.texts, p.size = append(p.texts, text), p.size+len(text)
	for p.size-len(p.texts[0]) >= window {
		p.size -= len(p.texts[0])
		p.texts = p.texts[1:]
	}
}

// engine is what one message at a time is inflated with.
type engine struct {
	source bytes.Reader
	flate  io.ReadCloser
	in     []byte
	out    bytes.Buffer
}

func (i *inflater) inflate(p *past, payload []byte) ([]byte, error) {
	e, ok := i.engines.Get().(*engine)
	if !ok {
		e = new(engine)
		e.flate = flate.NewReader(&e.source)
	}
	defer i.engines.Put(e)
	e.in = append(append(e.in[:0], payload...), blockTail...)
	e.source.Reset(e.in)
	if err := e.flate.(flate.Resetter).Reset(&e.source, bytes.Join(p.texts, nil)); err != nil {
		return nil, fmt.Errorf("inflating a message: %w", err)
	}
	e.out.Reset()
	switch n, err := io.Copy(&e.out, io.LimitReader(e.flate, maxMessage+1)); {
	case err != nil:
		return nil, fmt.Errorf("the relay sends what cannot be inflated: %w", err)
	case n > maxMessage:
		return nil, errors.New("the relay sends a message without an end")
	}
	return bytes.Clone(e.out.Bytes()), nil
}
