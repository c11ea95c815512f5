package main

import (
	"fmt"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const wirePackage = protogen.GoImportPath("google.golang.org/protobuf/encoding/protowire")

// writeSize writes size. A message that is nil is an empty one, as in the generated
// code.
func writeSize(g *protogen.GeneratedFile, m *protogen.Message, fields []field) {
	bytes := g.QualifiedGoIdent(wirePackage.Ident("SizeBytes"))
	g.P("func (x *", m.GoIdent, ") size() (n int) {")
	g.P("if x == nil { return 0 }")
	each(g, fields, func(f field, v string) {
		switch {
		case f.packed:
			g.P("n += 1 + ", bytes, "(sizeNumbers(", v, "))")
		case f.Message != nil:
			g.P("n += 1 + ", bytes, "(", v, ".size())")
		case f.wire == protowire.BytesType:
			g.P("n += 1 + ", bytes, "(len(", v, "))")
		case f.Desc.Kind() == protoreflect.BoolKind:
			g.P("n += 2")
		case f.wire == protowire.VarintType:
			g.P("n += 1 + ", wirePackage.Ident("SizeVarint"), "(uint64(", v, "))")
		case f.wire == protowire.Fixed32Type:
			g.P("n += 1 + 4")
		default:
			g.P("n += 1 + 8")
		}
	})
	g.P("return n + len(x.unknownFields)")
	g.P("}")
}

// writeAppend writes append.
func writeAppend(g *protogen.GeneratedFile, m *protogen.Message, fields []field) {
	varint := g.QualifiedGoIdent(wirePackage.Ident("AppendVarint"))
	g.P("func (x *", m.GoIdent, ") append(b []byte) (_ []byte, ok bool) {")
	g.P("if x == nil { return b, true }")
	each(g, fields, func(f field, v string) {
		tagged := fmt.Sprintf("append(b, %#02x)", f.tag)
		switch {
		case f.packed:
			g.P("b = appendNumbers(", tagged, ", ", v, ")")
		case f.Message != nil:
			g.P("b = ", varint, "(", tagged, ", uint64(", v, ".size()))")
			g.P("if b, ok = ", v, ".append(b); !ok { return nil, false }")
		case f.Desc.Kind() == protoreflect.StringKind:
			g.P("if b, ok = appendText(", tagged, ", ", v, "); !ok { return nil, false }")
		case f.wire == protowire.BytesType:
			g.P("b = ", wirePackage.Ident("AppendBytes"), "(", tagged, ", ", v, ")")
		case f.Desc.Kind() == protoreflect.BoolKind:
			g.P("b = append(", tagged, ", 1)")
		case f.wire == protowire.VarintType:
			g.P("b = ", varint, "(", tagged, ", uint64(", v, "))")
		case f.wire == protowire.Fixed32Type:
			g.P("b = ", wirePackage.Ident("AppendFixed32"), "(", tagged, ", ", v, ")")
		default:
			g.P("b = ", wirePackage.Ident("AppendFixed64"), "(", tagged, ", ", v, ")")
		}
	})
	g.P("return append(b, x.unknownFields...), true")
	g.P("}")
}

// each writes what write does for every value that is on the wire, named v, in the
// order of the fields.
func each(g *protogen.GeneratedFile, fields []field, write func(f field, v string)) {
	for i, f := range fields {
		list := f.Desc.IsList() && !f.packed
		switch {
		case f.Oneof != nil && (i == 0 || fields[i-1].Oneof != f.Oneof):
			g.P("switch of := x.", f.Oneof.GoName, ".(type) {")
			fallthrough
		case f.Oneof != nil:
			g.P("case *", f.GoIdent, ":")
			write(f, "of."+f.GoName)
			if i+1 == len(fields) || fields[i+1].Oneof != f.Oneof {
				g.P("}")
			}
			continue
		case list:
			g.P("for _, v := range ", f.x, " {")
			write(f, "v")
		case f.Message != nil:
			g.P("if ", f.x, " != nil {")
			write(f, f.x)
		case f.wire == protowire.BytesType, f.packed:
			g.P("if len(", f.x, ") > 0 {")
			write(f, f.x)
		case f.Desc.Kind() == protoreflect.BoolKind:
			g.P("if ", f.x, " {")
			write(f, f.x)
		default:
			g.P("if ", f.x, " != 0 {")
			write(f, f.x)
		}
		g.P("}")
	}
}

// writeRead writes read. It gives up at whatever the generated writer would not have
// written, and leaves that to the generated reader.
func writeRead(g *protogen.GeneratedFile, m *protogen.Message, fields []field) {
	g.P("func (x *", m.GoIdent, ") read(b []byte) (ok bool) {")
	for _, f := range fields {
		if f.Oneof != nil && f.Oneof.Fields[0] == f.Field {
			g.P("was := x.", f.Oneof.GoName)
		}
		if f.Message != nil && f.Desc.IsList() {
			g.P("var stock", f.GoName, " []", f.elem)
		}
	}
	g.P("x.Reset()")
	g.P("for len(b) > 0 {")
	g.P("tag := b[0]")
	g.P("b = b[1:]")
	g.P("switch tag {")
	for _, f := range fields {
		g.P(fmt.Sprintf("case %#02x:", f.tag))
		f.read(g)
	}
	g.P("default:")
	g.P("ok = false")
	g.P("}")
	g.P("if !ok { return false }")
	g.P("}")
	g.P("return true")
	g.P("}")
}

// read writes how one value of a field is read.
func (f field) read(g *protogen.GeneratedFile) {
	cut := map[protowire.Type]string{protowire.VarintType: "cutVarint", protowire.Fixed32Type: "cutFixed32", protowire.Fixed64Type: "cutFixed64"}[f.wire]
	switch {
	case cut != "":
	case f.Desc.Kind() == protoreflect.StringKind:
		cut = "cutText"
	case f.Message != nil || f.packed || shared[f.Desc.Name()]:
		cut = "cutBytes"
	default:
		cut = "cutCopy"
	}
	if f.packed {
		cut = "cutBytes"
	}
	switch plain := f.elem == "uint64" || f.wire != protowire.VarintType; {
	case f.packed:
		g.P("var v []byte")
		g.P("v, b, ok = ", cut, "(b)")
		g.P("ok = ok && readNumbers(&", f.x, ", v)")
	case f.Oneof != nil:
		g.P("of, _ := was.(*", f.GoIdent, ")")
		g.P("if of == nil || of.", f.GoName, " == nil {")
		g.P("both := new(struct { of ", f.GoIdent, "; m ", f.elem, " })")
		g.P("of = &both.of")
		g.P("of.", f.GoName, " = &both.m")
		g.P("}")
		g.P("var v []byte")
		g.P("v, b, ok = ", cut, "(b)")
		g.P("ok = ok && x.", f.Oneof.GoName, " == nil && of.", f.GoName, ".read(v)")
		g.P("x.", f.Oneof.GoName, " = of")
	case f.Message != nil && f.Desc.IsList():
		g.P("m := next(&", f.x, ", &stock", f.GoName, ", tag, b)")
		g.P("var v []byte")
		g.P("v, b, ok = ", cut, "(b)")
		g.P("ok = ok && m.read(v)")
	case f.Message != nil:
		g.P("var v []byte")
		g.P("v, b, ok = ", cut, "(b)")
		g.P("ok = ok && ", f.x, " == nil")
		g.P(f.x, " = new(", f.elem, ")")
		g.P("ok = ok && ", f.x, ".read(v)")
	case f.Desc.IsList():
		g.P("room(&", f.x, ", tag, b)")
		g.P("v, rest, good := ", cut, "(b)")
		g.P(f.x, ", b, ok = append(", f.x, ", v), rest, good")
	case plain:
		g.P(f.x, ", b, ok = ", cut, "(b)")
	default:
		g.P("var v uint64")
		g.P("v, b, ok = ", cut, "(b)")
		if f.elem == "bool" {
			g.P(f.x, " = v != 0")
		} else {
			g.P(f.x, " = ", f.elem, "(v)")
		}
	}
}
