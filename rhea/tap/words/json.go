package words

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// AppendJSON appends a message as a JSON object, with everything that it says: the
// fields in the order of the contract, under its names; without those that are zero or
// empty. Bytes that are not what their field promises are hex.
func AppendJSON(dst []byte, m proto.Message) []byte { return appendObject(dst, m.ProtoReflect()) }

func appendObject(dst []byte, m protoreflect.Message) []byte {
	dst = append(dst, '{')
	fields := m.Descriptor().Fields()
	first := true
	for i := range fields.Len() {
		f := fields.Get(i)
		if !m.Has(f) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(strconv.AppendQuote(dst, string(f.Name())), ':')
		dst = appendField(dst, f, m.Get(f))
	}
	return append(dst, '}')
}

func appendField(dst []byte, f protoreflect.FieldDescriptor, v protoreflect.Value) []byte {
	switch {
	case f.IsMap():
		return appendMap(dst, f, v.Map())
	case f.IsList():
		dst = append(dst, '[')
		for i := range v.List().Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendValue(dst, f, v.List().Get(i))
		}
		return append(dst, ']')
	}
	return appendValue(dst, f, v)
}

func appendMap(dst []byte, f protoreflect.FieldDescriptor, m protoreflect.Map) []byte {
	var keys []string
	m.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k.String())
		return true
	})
	slices.Sort(keys)
	dst = append(dst, '{')
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, k), ':')
		dst = appendValue(dst, f.MapValue(), m.Get(protoreflect.ValueOfString(k).MapKey()))
	}
	return append(dst, '}')
}

func appendValue(dst []byte, f protoreflect.FieldDescriptor, v protoreflect.Value) []byte {
	switch f.Kind() {
	case protoreflect.MessageKind:
		return appendObject(dst, v.Message())
	case protoreflect.EnumKind, protoreflect.Fixed32Kind:
		return strconv.AppendQuote(dst, value(f, v))
	case protoreflect.Fixed64Kind:
		if f.Name() == "conn" || f.Name() == "store" {
			return strconv.AppendQuote(dst, value(f, v))
		}
	case protoreflect.StringKind:
		return appendString(dst, v.String())
	case protoreflect.BytesKind:
		return appendBytes(dst, string(f.Name()), v.Bytes())
	case protoreflect.BoolKind:
		return strconv.AppendBool(dst, v.Bool())
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		number, err := json.Marshal(v.Float())
		if err != nil { // not a number, or infinite
			return appendString(dst, v.String())
		}
		return append(dst, number...)
	}
	return append(dst, v.String()...) // whole numbers
}

func appendBytes(dst []byte, name string, b []byte) []byte {
	switch name {
	case "event", "json", "events", "filter":
		if json.Valid(b) {
			return append(dst, compact(b)...)
		}
	case "filters":
		if list := append(append([]byte("["), b...), ']'); json.Valid(list) {
			return append(dst, compact(list)...)
		}
	}
	return strconv.AppendQuote(dst, hex.EncodeToString(b))
}

// compact takes the line breaks out of JSON that is valid.
func compact(b []byte) []byte {
	var out bytes.Buffer
	json.Compact(&out, b) // fails for what is not valid alone
	return out.Bytes()
}

func appendString(dst []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		return append(dst, `""`...)
	}
	return append(dst, text...)
}
