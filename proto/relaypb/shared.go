package relaypb

import (
	"bytes"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// UnmarshalShared is proto.Unmarshal into an empty message, but a Part's events share
// the memory of b, which must not change: they are most of what a gateway reads, and
// are not kept.
func (x *OutInbox) UnmarshalShared(b []byte) error {
	if p := parsePart(b); p != nil {
		x.Body = &OutInbox_Part{Part: p}
		return nil
	}
	return proto.Unmarshal(b, x)
}

// parsePart reads an OutInbox that is one Part and nothing else; nil if it is not, or
// has anything that is not known here.
func parsePart(b []byte) *Part {
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 || num != 2 || typ != protowire.BytesType {
		return nil
	}
	body, size := protowire.ConsumeBytes(b[n:])
	if size < 0 || n+size != len(b) {
		return nil
	}
	p := new(Part)
	for len(body) > 0 {
		if body = p.parseField(body); body == nil {
			return nil
		}
	}
	return p
}

// parseField reads one field and returns what follows it; nil if it is not known.
func (p *Part) parseField(b []byte) (rest []byte) {
	field, typ, n := protowire.ConsumeTag(b)
	if n < 0 {
		return nil
	}
	b = b[n:]
	switch typ {
	case protowire.VarintType:
		v, n := protowire.ConsumeVarint(b)
		if n < 0 || !p.setNumber(field, v) {
			return nil
		}
		return b[n:]
	case protowire.Fixed32Type:
		v, n := protowire.ConsumeFixed32(b)
		if n < 0 || field != 2 {
			return nil
		}
		p.Worker = v
		return b[n:]
	case protowire.BytesType:
		v, n := protowire.ConsumeBytes(b)
		switch {
		case n < 0:
			return nil
		case field == 4:
			p.Events = append(p.Events, v[:len(v):len(v)])
		case field == 5:
			p.Cursor = bytes.Clone(v)
		default:
			return nil
		}
		return b[n:]
	}
	return nil
}

// setNumber sets a field that is a number, and reports whether there is such a one.
func (p *Part) setNumber(field protowire.Number, v uint64) bool {
	switch field {
	case 1:
		p.Num = v
	case 3:
		p.Index = uint32(v)
	case 6:
		p.AsOf = v
	case 7:
		p.Eose = v != 0
	case 8:
		p.Completeness = Completeness(v)
	case 9:
		p.ById = v != 0
	default:
		return false
	}
	return true
}
