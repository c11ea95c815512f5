package nostr

import (
	"math"
	"slices"
	"strconv"

	"rhea/proto/nostr/strictjson"
)

// list reads an array, calling item for each of its values.
func (p *filterParser) list(item func() error) error {
	if !p.Take('[') {
		return strictjson.Error("must be an array")
	}
	if p.Take(']') {
		return nil
	}
	for {
		if p.budget--; p.budget < 0 {
			return strictjson.Error("too many values, at most " +
				strconv.Itoa(p.lim.MaxValues) + " in all filters together")
		}
		if err := item(); err != nil {
			return err
		}
		if p.Take(']') {
			return nil
		}
		if !p.Take(',') {
			return strictjson.ErrSyntax
		}
	}
}

// names reads a list of ids or pubkeys into the scratch.
func (p *filterParser) names() error {
	const why strictjson.Error = "every value " + whyHex64
	p.ids = p.ids[:0]
	err := p.list(func() error {
		s, err := p.String()
		if err != nil {
			return err
		}
		var id EventID
		if !decodeHex(id[:], s) {
			return why
		}
		p.ids = append(p.ids, id)
		return nil
	})
	slices.SortFunc(p.ids, EventID.Compare)
	p.ids = slices.Compact(p.ids)
	return err
}

func (p *filterParser) kindList() error {
	const why strictjson.Error = "every value must be an integer"
	p.kinds = p.kinds[:0]
	err := p.list(func() error {
		n, err := p.Number()
		if err != nil {
			return err
		}
		if n.Form == strictjson.Fraction {
			return why
		}
		if n.Form == strictjson.Exact && 0 <= n.Int && n.Int <= math.MaxUint16 {
			p.kinds = append(p.kinds, Kind(n.Int))
		}
		return nil
	})
	slices.Sort(p.kinds)
	p.kinds = slices.Compact(p.kinds)
	return err
}

// integer reads an integer, clamped to 64 bits.
func (p *filterParser) integer() (int64, error) {
	n, err := p.Number()
	if err != nil {
		return 0, err
	}
	switch n.Form {
	case strictjson.Fraction:
		return 0, strictjson.Error("must be an integer")
	case strictjson.TooLarge:
		return math.MaxInt64, nil
	case strictjson.TooSmall:
		return math.MinInt64, nil
	}
	return n.Int, nil
}

func (p *filterParser) limit() (int, error) {
	n, err := p.integer()
	if err == nil && n < 0 {
		err = strictjson.Error("must not be negative")
	}
	return int(min(n, math.MaxInt)), err
}

// tagFilter reads the values of one tag condition; their texts share one
// allocation.
func (p *filterParser) tagFilter(name byte) (TagFilter, error) {
	const why strictjson.Error = "every value " + whyHex64
	p.text, p.spans = p.text[:0], p.spans[:0]
	err := p.list(func() error {
		s, err := p.String()
		if err != nil {
			return err
		}
		start := len(p.text)
		var b [packedTagLength]byte
		packed := decodeHex(b[:], s)
		if packed {
			p.text = append(p.text, b[:]...)
		} else if name == 'e' || name == 'p' {
			return why
		} else {
			p.text = append(p.text, s...)
		}
		p.spans = append(p.spans, span{start, len(p.text), packed})
		return nil
	})
	t := TagFilter{Name: name, Values: make([]TagValue, len(p.spans))}
	texts := string(p.text)
	for i, s := range p.spans {
		t.Values[i] = TagValue{raw: texts[s.start:s.end], packed: s.packed}
	}
	if len(t.Values) > 0 {
		t.First = t.Values[0]
	}
	slices.SortFunc(t.Values, TagValue.Compare)
	t.Values = slices.Compact(t.Values)
	return t, err
}

// exact copies a scratch list into one of its own size, never nil.
func exact[T any](list []T) []T {
	return append(make([]T, 0, len(list)), list...)
}
