package words

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"rhea/proto/frame"
	"rhea/proto/nostr"
)

// idDigits is how many hex digits of an id stand in a line.
const idDigits = 16

// event is what a line says of an event.
type event struct {
	id   string // as its bytes say; may be anything, in an EVENT that nobody has checked
	kind int64
	ok   bool // the kind is known
	size int
}

func readEvent(raw []byte) event {
	e := event{size: len(raw)}
	var err error
	var shape struct{ Kind *int64 }
	if err = json.Unmarshal(raw, &shape); err == nil && shape.Kind != nil {
		e.kind, e.ok = *shape.Kind, true
	}
	e.id, _ = frame.EventIDOf(raw)
	return e
}

// Events calls yield for the id of every event that a message holds or names, as hex,
// until yield returns false. An id that is none is what its event says.
func Events(m proto.Message, yield func(id string) bool) {
	events(m.ProtoReflect(), yield)
}

func events(m protoreflect.Message, yield func(string) bool) (goOn bool) {
	goOn = true
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap():
		case f.Kind() == protoreflect.MessageKind && f.IsList():
			for i := range v.List().Len() {
				goOn = goOn && events(v.List().Get(i).Message(), yield)
			}
		case f.Kind() == protoreflect.MessageKind:
			goOn = events(v.Message(), yield)
		case f.Kind() != protoreflect.BytesKind:
		case f.IsList() && f.Name() == "events":
			for i := range v.List().Len() {
				goOn = goOn && named(readID(v.List().Get(i).Bytes()), yield)
			}
		case f.Name() == "event" || f.Name() == "json":
			goOn = named(readID(v.Bytes()), yield)
		case f.Name() == "id":
			goOn = named(hex.EncodeToString(v.Bytes()), yield)
		case f.Name() == "header":
			if h, err := nostr.CheckHeader(v.Bytes()); err == nil {
				id := h.ID()
				goOn = named(hex.EncodeToString(id[:]), yield)
			}
		}
		return goOn
	})
	return goOn
}

func named(id string, yield func(string) bool) bool { return id == "" || yield(id) }

func readID(raw []byte) string {
	id, _ := frame.EventIDOf(raw)
	return id
}

// Mentions says whether a message holds or names an event whose id begins with prefix,
// in hex.
func Mentions(m proto.Message, prefix string) (found bool) {
	Events(m, func(id string) bool {
		found = strings.HasPrefix(id, prefix)
		return !found
	})
	return found
}

// short is the beginning of an id.
func short(id string) string {
	if len(id) > idDigits {
		return id[:idDigits]
	}
	return id
}

// plain is text for a line: of one that is too long the beginning, of control
// characters and what is not UTF-8 a mark.
func plain(b []byte, most int) string {
	more := ""
	if len(b) > most {
		b, more = b[:most], "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 {
			return '�'
		}
		return r
	}, string(bytes.ToValidUTF8(b, []byte("�")))) + more
}
