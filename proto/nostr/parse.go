package nostr

import (
	"math"

	"rhea/proto/nostr/strictjson"
)

// EventLimits bound what ParseEvent accepts. Zero or less means the default.
// The size in bytes is the business of whoever reads the frame; memory use is
// linear in it.
type EventLimits struct {
	MaxTags    int // number of tags; default 100,000
	MaxNesting int // of arrays and objects in unknown fields; default 32
}

func (lim EventLimits) orDefaults() EventLimits {
	if lim.MaxTags <= 0 {
		lim.MaxTags = 100_000
	}
	if lim.MaxNesting <= 0 {
		lim.MaxNesting = 32
	}
	return lim
}

// field is a bit per known field of an event, in canonical order.
type field uint8

const (
	fieldID field = 1 << iota
	fieldPubKey
	fieldCreatedAt
	fieldKind
	fieldTags
	fieldContent
	fieldSig
	allFields = 1<<7 - 1
)

var fieldNames = [...]string{"id", "pubkey", "created_at", "kind", "tags", "content", "sig"}

// ParseEvent reads one event object, and nothing else but white space around
// it, as strictly as NIP-01 and RFC 8259 say: hex is lowercase and of exact
// length, created_at is an integer of 0..2^63-1 and kind one of 0..65535 (1.0
// and 1e3 are integers), every tag has one string or more. A field that is
// missing or given twice is an error, because two readers would not agree on
// the event. Unknown fields are skipped and not kept.
//
// The event aliases b. It is checked for shape only: neither id nor signature
// are verified. The error is always an *Error.
func ParseEvent(b []byte, lim EventLimits) (*Event, error) {
	p := eventParser{Lexer: strictjson.New(b), lim: lim.orDefaults()}
	if !p.Take('{') {
		return nil, &Error{Why: "an event must be a JSON object"}
	}
	if err := p.object(); err != nil {
		return nil, err
	}
	if !p.End() {
		return nil, &Error{Why: "trailing bytes after the event"}
	}
	if missing := ^p.seen & allFields; missing != 0 {
		for i, name := range fieldNames {
			if missing&(1<<i) != 0 {
				return nil, &Error{Field: name, Why: "missing"}
			}
		}
	}
	e := p.e
	return &e, nil
}

type eventParser struct {
	strictjson.Lexer
	lim  EventLimits
	seen field
	e    Event
}

// object reads the members after the opening brace.
func (p *eventParser) object() error {
	if p.Take('}') {
		return nil
	}
	for {
		key, err := p.Key()
		if err != nil {
			return fault("", err)
		}
		if err := p.member(key); err != nil {
			return err
		}
		if p.Take('}') {
			return nil
		}
		if !p.Take(',') {
			return fault("", strictjson.ErrSyntax)
		}
	}
}

func (p *eventParser) member(key string) error {
	var f field
	var err error
	switch key {
	case "id":
		f = fieldID
		err = p.hex(p.e.ID[:], whyHex64)
	case "pubkey":
		f = fieldPubKey
		err = p.hex(p.e.PubKey[:], whyHex64)
	case "created_at":
		f = fieldCreatedAt
		p.e.CreatedAt, err = p.integer(math.MaxInt64, "must be an integer of 0 to 2^63-1")
	case "kind":
		f = fieldKind
		var k int64
		k, err = p.integer(math.MaxUint16, "must be an integer of 0 to 65535")
		p.e.Kind = Kind(k)
	case "tags":
		f = fieldTags
		// Reading them twice would cost memory twice.
		if p.seen&f == 0 {
			err = p.tags()
		}
	case "content":
		f = fieldContent
		p.e.Content, err = p.String()
	case "sig":
		f = fieldSig
		err = p.hex(p.e.Sig[:], whyHex128)
	default:
		return fault("", p.Skip(p.lim.MaxNesting))
	}
	if p.seen&f != 0 {
		return &Error{Field: key, Why: "given more than once"}
	}
	p.seen |= f
	return fault(key, err)
}

func (p *eventParser) hex(dst []byte, why strictjson.Error) error {
	s, err := p.String()
	if err == nil && !decodeHex(dst, s) {
		err = why
	}
	return err
}

func (p *eventParser) integer(most int64, why strictjson.Error) (int64, error) {
	n, err := p.Number()
	if err != nil {
		return 0, err
	}
	if n.Form != strictjson.Exact || n.Int < 0 || n.Int > most {
		return 0, why
	}
	return n.Int, nil
}

// tags reads the array of tags. The elements of all tags are collected in one
// slice and then cut, so that an event costs two allocations for its tags and
// not one per tag.
func (p *eventParser) tags() error {
	const (
		whyArray strictjson.Error = "must be an array of arrays of strings"
		whyEmpty strictjson.Error = "a tag must have at least one element"
		whyMany  strictjson.Error = "too many tags"
	)
	var stackElems [64]string
	var stackEnds [32]int32
	elems, ends := stackElems[:0], stackEnds[:0]
	if !p.Take('[') {
		return whyArray
	}
	for !p.Take(']') {
		if len(ends) > 0 && !p.Take(',') {
			return strictjson.ErrSyntax
		}
		if !p.Take('[') {
			return whyArray
		}
		if len(ends) == p.lim.MaxTags {
			return whyMany
		}
		if p.Take(']') {
			return whyEmpty
		}
		for {
			s, err := p.String()
			if err == strictjson.ErrNotString {
				return whyArray
			}
			if err != nil {
				return err
			}
			elems = append(elems, s)
			if p.Take(']') {
				break
			}
			if !p.Take(',') {
				return strictjson.ErrSyntax
			}
		}
		ends = append(ends, int32(len(elems)))
	}
	p.e.Tags = cut(elems, ends)
	return nil
}

// cut copies elems, so that the scratch stays on the stack, and returns the
// parts that end at ends.
func cut(elems []string, ends []int32) []Tag {
	kept := make([]string, len(elems))
	copy(kept, elems)
	tags := make([]Tag, len(ends))
	start := int32(0)
	for i, end := range ends {
		tags[i] = kept[start:end:end]
		start = end
	}
	return tags
}

// fault names the field at which err happened; what is not JSON at all is a
// fault of the whole text.
func fault(field string, err error) error {
	why, ok := err.(strictjson.Error)
	if !ok {
		return err
	}
	if why == strictjson.ErrSyntax {
		field = ""
	}
	return &Error{Field: field, Why: string(why)}
}
