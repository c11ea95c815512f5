package gateway

import (
	"encoding/binary"
	"math"

	"github.com/gobwas/ws"
)

// maxHeader is the most bytes that a client's frame header has.
const maxHeader = 14

// rsv1 is the bit of a header that says that a message is compressed.
const rsv1 = 0x40

// header is the header of a client's frame (RFC 6455, 5.2).
type header struct {
	fin    bool
	packed bool // the message that begins here is compressed (RFC 7692, 6)
	op     ws.OpCode
	length int // of the payload
	mask   [4]byte
}

// parseHeader reads the header at the start of b and returns its length, 0 when
// b does not hold all of it. It refuses what no client may send: frames without
// mask, bits and opcodes that are reserved, lengths in more bytes than needed.
func parseHeader(b []byte) (h header, n int, err *ending) {
	if len(b) == 0 {
		return h, 0, nil
	}
	h.fin, h.packed, h.op = b[0]&0x80 != 0, b[0]&rsv1 != 0, ws.OpCode(b[0]&0x0f)
	switch {
	case b[0]&0x30 != 0:
		return h, 0, protocolError("a reserved bit is set")
	case h.op.IsReserved():
		return h, 0, protocolError("a reserved opcode")
	case len(b) < 2:
		return h, 0, nil
	case b[1]&0x80 == 0:
		return h, 0, protocolError("a frame without mask")
	}
	n = 2
	length := uint64(b[1] & 0x7f)
	switch length {
	case 126:
		if len(b) < 4 {
			return h, 0, nil
		}
		n, length = 4, uint64(binary.BigEndian.Uint16(b[2:]))
		if length < 126 {
			return h, 0, protocolError("a length in more bytes than needed")
		}
	case 127:
		if len(b) < 10 {
			return h, 0, nil
		}
		n, length = 10, binary.BigEndian.Uint64(b[2:])
		if length < 1<<16 || length > math.MaxInt64 {
			return h, 0, protocolError("a length in more bytes than needed, or none")
		}
	}
	if len(b) < n+4 {
		return h, 0, nil
	}
	h.length = int(min(length, math.MaxInt32)) // far beyond every limit
	h.mask = [4]byte(b[n:])
	return h, n + 4, nil
}
