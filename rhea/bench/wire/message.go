package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
)

// Split takes a relay's message apart: its verb, such as EVENT, the string behind it
// (a subscription, an event id; with AUTH and NOTICE a text), and the rest behind the
// comma. Escapes in the string are left as they are. It is ok when the message begins
// as NIP-01 says; nobody looks at how it ends.
func Split(msg []byte) (verb, arg, rest []byte, ok bool) {
	if msg = trim(msg); len(msg) == 0 || msg[0] != '[' {
		return nil, nil, nil, false
	}
	if verb, rest, ok = quoted(msg[1:]); !ok {
		return nil, nil, nil, false
	}
	if arg, rest, ok = quoted(rest); !ok {
		return nil, nil, nil, false
	}
	return verb, arg, rest, true
}

// quoted reads a string and the comma behind it, if there is one.
func quoted(b []byte) (s, rest []byte, ok bool) {
	if b = trim(b); len(b) == 0 || b[0] != '"' {
		return nil, nil, false
	}
	b = b[1:]
	for from := 0; ; {
		i := bytes.IndexByte(b[from:], '"')
		if i < 0 {
			return nil, nil, false
		}
		if from += i; escaped(b[:from]) {
			from++
			continue
		}
		rest = trim(b[from+1:])
		if len(rest) > 0 && rest[0] == ',' {
			rest = trim(rest[1:])
		}
		return b[:from], rest, true
	}
}

// escaped says whether what follows b stands behind an odd number of backslashes.
func escaped(b []byte) bool {
	n := 0
	for n < len(b) && b[len(b)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\n' || b[0] == '\t' || b[0] == '\r') {
		b = b[1:]
	}
	return b
}

// Verdict reads what follows the id in an OK.
func Verdict(rest []byte) (accepted bool, reason string) {
	accepted = bytes.HasPrefix(rest, []byte("true"))
	if _, after, found := bytes.Cut(rest, []byte(",")); found {
		if text, _, ok := quoted(after); ok {
			reason = string(text)
		}
	}
	return accepted, reason
}

// Key is the first eight bytes of an event's id: enough to tell events of one run
// apart.
type Key uint64

// KeyOf reads the beginning of an id in hex; ok is false when it is none.
func KeyOf(id []byte) (k Key, ok bool) {
	var b [8]byte
	if len(id) < 16 {
		return 0, false
	}
	_, err := hex.Decode(b[:], id[:16])
	return Key(binary.BigEndian.Uint64(b[:])), err == nil
}

// EventKey finds the id in an event's JSON, whatever the order of its fields. No
// string can hold what is looked for, as its quotes would be escaped; the name of an
// unknown field of the event could, which the events of a load do not have.
func EventKey(event []byte) (Key, bool) {
	_, after, found := bytes.Cut(event, []byte(`"id":`))
	if !found {
		return 0, false
	}
	after = trim(after)
	if len(after) == 0 || after[0] != '"' {
		return 0, false
	}
	return KeyOf(after[1:])
}

// String reads the string that b begins with, without its quotes; escapes are left as
// they are.
func String(b []byte) (s []byte, ok bool) {
	s, _, ok = quoted(b)
	return s, ok
}
