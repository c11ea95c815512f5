package gateway

import "sync"

// Buffers hold what is half read, and what the network does not take. They come in
// two sizes; what outgrows the large one is made and left to the garbage collector.
const (
	smallBuffer = 4 << 10
	largeBuffer = 64 << 10
)

// buffers pools them. The zero value is ready.
type buffers struct{ small, large sync.Pool }

// take returns at least n bytes, with any content.
func (p *buffers) take(n int) []byte {
	switch {
	case n <= smallBuffer:
		if b, ok := p.small.Get().(*[smallBuffer]byte); ok {
			return b[:]
		}
		return make([]byte, smallBuffer)
	case n <= largeBuffer:
		if b, ok := p.large.Get().(*[largeBuffer]byte); ok {
			return b[:]
		}
		return make([]byte, largeBuffer)
	}
	return make([]byte, n)
}

// give takes back what take gave, or what append made of it.
func (p *buffers) give(b []byte) {
	switch b = b[:cap(b)]; {
	case len(b) >= largeBuffer && len(b) <= 2*largeBuffer:
		p.large.Put((*[largeBuffer]byte)(b))
	case len(b) >= smallBuffer && len(b) <= 2*smallBuffer:
		p.small.Put((*[smallBuffer]byte)(b))
	}
}
