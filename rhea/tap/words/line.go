package words

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"rhea/proto/nostr"
	"rhea/proto/subject"
)

// How much a line says.
const (
	maxList = 4   // items of a list
	maxText = 240 // bytes of a filter or a text
)

// Name is the message's name in the contract, such as EventFrame.
func Name(m proto.Message) string { return string(m.ProtoReflect().Descriptor().Name()) }

// Line is what a message says, as name=value pairs in one line. What is zero or empty
// is not said, what is true by its name alone.
func Line(m proto.Message) string { return strings.Join(pairs(m.ProtoReflect()), " ") }

func pairs(m protoreflect.Message) (list []string) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if !m.Has(f) || f.Name() == "header" && fields.ByName("json") != nil && m.Has(fields.ByName("json")) {
			continue
		}
		if text := pair(f, m.Get(f)); text != "" {
			list = append(list, text)
		}
	}
	return list
}

func pair(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	name := string(f.Name())
	switch {
	case f.IsMap():
		return fmt.Sprintf("%s=%d", name, v.Map().Len())
	case f.IsList() && f.Kind() == protoreflect.BytesKind && name == "events":
		return eventList(v.List())
	case f.IsList():
		return name + "=" + list(f, v.List())
	case f.Kind() == protoreflect.BytesKind && (name == "event" || name == "json"):
		return eventPairs(v.Bytes())
	case f.Kind() == protoreflect.BytesKind && name == "header":
		return headerPairs(v.Bytes())
	case f.Kind() == protoreflect.BoolKind:
		return name
	}
	return name + "=" + value(f, v)
}

// value is a field's, or that of an item of a list.
func value(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch f.Kind() {
	case protoreflect.MessageKind:
		return "(" + strings.Join(pairs(v.Message()), " ") + ")"
	case protoreflect.EnumKind:
		if d := f.Enum().Values().ByNumber(v.Enum()); d != nil {
			return string(d.Name())
		}
		return strconv.Itoa(int(v.Enum()))
	case protoreflect.Fixed32Kind:
		return subject.Instance(v.Uint()).String()
	case protoreflect.Fixed64Kind:
		switch f.Name() {
		case "conn":
			return subject.ConnID(v.Uint()).String()
		case "store":
			return fmt.Sprintf("%016x", v.Uint())
		}
	case protoreflect.StringKind:
		return `"` + plain([]byte(v.String()), maxText) + `"`
	case protoreflect.BytesKind:
		return binary(string(f.Name()), v.Bytes())
	}
	return v.String()
}

func binary(name string, b []byte) string {
	switch name {
	case "filter", "filters":
		return plain(b, maxText)
	case "id", "key", "keys":
		return short(hex.EncodeToString(b))
	}
	return fmt.Sprintf("%dB", len(b))
}

func eventPairs(raw []byte) string {
	e := readEvent(raw)
	text := fmt.Sprintf("size=%d", e.size)
	if e.ok {
		text = fmt.Sprintf("kind=%d %s", e.kind, text)
	}
	if e.id != "" {
		text = fmt.Sprintf("id=%s %s", plain([]byte(short(e.id)), idDigits), text)
	}
	return text
}

func headerPairs(raw []byte) string {
	h, err := nostr.CheckHeader(raw)
	if err != nil {
		return fmt.Sprintf("header=%dB", len(raw))
	}
	id := h.ID()
	return fmt.Sprintf("id=%s kind=%d", short(hex.EncodeToString(id[:])), h.Kind())
}

// eventList says how many events there are, their bytes, and which the first are.
func eventList(l protoreflect.List) string {
	size, ids := 0, make([]string, 0, maxList)
	for i := range l.Len() {
		raw := l.Get(i).Bytes()
		size += len(raw)
		if i < maxList {
			ids = append(ids, plain([]byte(short(readID(raw))), idDigits))
		}
	}
	if l.Len() > maxList {
		ids = append(ids, "…")
	}
	return fmt.Sprintf("events=%d bytes=%d ids=%s", l.Len(), size, strings.Join(ids, ","))
}

func list(f protoreflect.FieldDescriptor, l protoreflect.List) string {
	items := make([]string, 0, maxList)
	for i := range min(l.Len(), maxList) {
		items = append(items, value(f, l.Get(i)))
	}
	if more := l.Len() - maxList; more > 0 {
		items = append(items, fmt.Sprintf("…%d more", more))
	}
	separator := ","
	if f.Kind() == protoreflect.MessageKind {
		separator = " "
	}
	return "[" + strings.Join(items, separator) + "]"
}
