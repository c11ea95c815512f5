package relaypb

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// quick is what gen adds to a message, in quick.pb.go. It writes what the generated
// code writes, and reads what that has written; what else there is on the wire
// (unknown fields, broken text, a list in two pieces) it leaves to the generated code,
// which is also its oracle in the tests.
type quick interface {
	proto.Message
	// size is the size of what append appends, in bytes.
	size() int
	// append appends the message. It fails when a text is not UTF-8.
	append(b []byte) (_ []byte, ok bool)
	// read forgets what the message was and reads it from b. It fails, and leaves
	// anything, when b holds something that append does not write.
	read(b []byte) (ok bool)
}

// Size is proto.Size, without reflection for messages that know how.
func Size(m proto.Message) int {
	if q, ok := m.(quick); ok {
		return q.size()
	}
	return proto.Size(m)
}

// Append is proto.MarshalAppend, without reflection for messages that know how.
func Append(b []byte, m proto.Message) ([]byte, error) {
	if q, ok := m.(quick); ok {
		if b, ok := q.append(b); ok {
			return b, nil
		}
	}
	return proto.MarshalOptions{}.MarshalAppend(b, m)
}

// Read is proto.Unmarshal, but the events, headers and ids of what it reads share the
// memory of b, which must not change; other bytes, which may be kept for longer, are
// copied. A message that is read into again gives the memory of its body to the next
// body of that kind, so that reading needs none; bytes and lists that were taken from
// it stay as they are.
func Read(b []byte, m proto.Message) error {
	if q, ok := m.(quick); ok && q.read(b) {
		return nil
	}
	return proto.Unmarshal(b, m)
}

// What stands on the wire: cut functions take a value from the front of b, append
// functions put one at the end.

func cutVarint(b []byte) (v uint64, rest []byte, ok bool) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), b[1:], true
	}
	v, n := protowire.ConsumeVarint(b)
	if n < 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

func cutFixed32(b []byte) (v uint32, rest []byte, ok bool) {
	if len(b) < 4 {
		return 0, nil, false
	}
	return binary.LittleEndian.Uint32(b), b[4:], true
}

func cutFixed64(b []byte) (v uint64, rest []byte, ok bool) {
	if len(b) < 8 {
		return 0, nil, false
	}
	return binary.LittleEndian.Uint64(b), b[8:], true
}

// cutBytes returns a piece of b; nil, which keeps nothing, of no bytes.
func cutBytes(b []byte) (v, rest []byte, ok bool) {
	n, b, ok := cutVarint(b)
	if !ok || n > uint64(len(b)) {
		return nil, nil, false
	}
	if n == 0 {
		return nil, b, true
	}
	return b[:n:n], b[n:], true
}

func cutCopy(b []byte) (v, rest []byte, ok bool) {
	v, rest, ok = cutBytes(b)
	return bytes.Clone(v), rest, ok
}

func cutText(b []byte) (v string, rest []byte, ok bool) {
	text, rest, ok := cutBytes(b)
	return string(text), rest, ok && utf8.Valid(text)
}

func appendText(b []byte, v string) (_ []byte, ok bool) {
	return protowire.AppendString(b, v), utf8.ValidString(v)
}

// Lists of numbers stand in one piece.

func sizeNumbers[N uint32 | uint64](list []N) (n int) {
	for _, v := range list {
		n += protowire.SizeVarint(uint64(v))
	}
	return n
}

func appendNumbers[N uint32 | uint64](b []byte, list []N) []byte {
	b = protowire.AppendVarint(b, uint64(sizeNumbers(list)))
	for _, v := range list {
		b = protowire.AppendVarint(b, uint64(v))
	}
	return b
}

// readNumbers fails for a second piece.
func readNumbers[N uint32 | uint64](list *[]N, b []byte) (ok bool) {
	if *list != nil || len(b) == 0 {
		return false
	}
	count := 0
	for _, c := range b {
		if c < 0x80 {
			count++
		}
	}
	all := make([]N, 0, count)
	for len(b) > 0 {
		var v uint64
		if v, b, ok = cutVarint(b); !ok {
			return false
		}
		all = append(all, N(v))
	}
	*list = all
	return true
}

// room makes a list that is still empty as long as it will become: one value, and
// those in rest, each behind the same tag.
func room[V any](list *[]V, tag byte, rest []byte) {
	if *list == nil {
		*list = make([]V, 0, 1+count(tag, rest))
	}
}

// next appends the next message to a list; all of them are made at the first.
func next[M any](list *[]*M, stock *[]M, tag byte, rest []byte) *M {
	if *list == nil {
		room(list, tag, rest)
		*stock = make([]M, cap(*list))
	}
	m := &(*stock)[len(*list)]
	*list = append(*list, m)
	return m
}

// count counts a tag in what follows the first one.
func count(tag byte, rest []byte) (n int) {
	num, typ := protowire.DecodeTag(uint64(tag))
	size := protowire.ConsumeFieldValue(num, typ, rest)
	for size >= 0 {
		rest = rest[size:]
		if len(rest) == 0 {
			break
		}
		if rest[0] == tag {
			n++
		}
		_, _, size = protowire.ConsumeField(rest)
	}
	return n
}
