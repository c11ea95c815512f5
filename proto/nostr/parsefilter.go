package nostr

import (
	"math"
	"slices"
	"strconv"

	"rhea/proto/nostr/strictjson"
)

// FilterLimits bound what ParseFilters accepts. Zero or less means the default.
type FilterLimits struct {
	MaxFilters int // filters together; default 64
	MaxValues  int // list values of all filters together, repetitions included; default 20,000
	MaxNesting int // of arrays and objects in unknown fields; default 8
}

func (lim FilterLimits) orDefaults() FilterLimits {
	if lim.MaxFilters <= 0 {
		lim.MaxFilters = 64
	}
	if lim.MaxValues <= 0 {
		lim.MaxValues = 20_000
	}
	if lim.MaxNesting <= 0 {
		lim.MaxNesting = 8
	}
	return lim
}

// ParseFilter reads one filter object and nothing else but white space. The
// result shares no memory with b. The error is always an *Error.
//
// Values of ids, authors, #e and #p must be 64 lowercase hex digits. since and
// until may be negative and are clamped to 64 bits, limit must not be negative
// and is clamped to the largest int; as in events, 1.0 and 1e3 are integers. A
// kind outside 0..65535 can match nothing and is left out, while its list
// stays. Repetitions in a list are left out. A field given twice is an error.
// Unknown fields are ignored, search (NIP-50) among them.
func ParseFilter(b []byte, lim FilterLimits) (Filter, error) {
	p := newFilterParser(b, lim)
	f, err := p.filter()
	if err == nil && !p.End() {
		err = &Error{Why: "trailing bytes after the filter"}
	}
	if err != nil {
		return Filter{}, err
	}
	return f, nil
}

// ParseFilters reads one filter or more, separated by commas, as they stand in
// a REQ after the subscription id. The rules are those of ParseFilter; the Field
// of the error says which filter.
func ParseFilters(b []byte, lim FilterLimits) ([]Filter, error) {
	p := newFilterParser(b, lim)
	if p.End() {
		return nil, &Error{Why: "at least one filter is needed"}
	}
	var filters []Filter
	for {
		if len(filters) == p.lim.MaxFilters {
			return nil, &Error{Why: "more than " + strconv.Itoa(p.lim.MaxFilters) + " filters"}
		}
		f, err := p.filter()
		if err == nil {
			filters = append(filters, f)
			if p.End() {
				return filters, nil
			}
			if p.Take(',') {
				continue
			}
			err = &Error{Why: string(strictjson.ErrSyntax)}
		}
		if e, ok := err.(*Error); ok {
			err = e.within("filter " + strconv.Itoa(len(filters)+1))
		}
		return nil, err
	}
}

// within returns the error with the place of its field in front.
func (e *Error) within(place string) *Error {
	if e.Field != "" {
		place += " " + e.Field
	}
	return &Error{Field: place, Why: e.Why}
}

type filterParser struct {
	strictjson.Lexer
	lim    FilterLimits
	budget int // values left of lim.MaxValues

	// Scratch, so that the lists of a filter are made in their final size: a
	// filter may live as long as its connection.
	ids   []EventID
	kinds []Kind
	text  []byte
	spans []span
}

// span is a tag value within the scratch text.
type span struct {
	start, end int
	packed     bool
}

func newFilterParser(b []byte, lim FilterLimits) *filterParser {
	lim = lim.orDefaults()
	return &filterParser{Lexer: strictjson.New(b), lim: lim, budget: lim.MaxValues}
}

func (p *filterParser) filter() (Filter, error) {
	f := All()
	if !p.Take('{') {
		return f, &Error{Why: "a filter must be a JSON object"}
	}
	if p.Take('}') {
		return f, nil
	}
	for {
		key, err := p.Key()
		if err != nil {
			return f, fault("", err)
		}
		if err := p.member(&f, key); err != nil {
			return f, err
		}
		if p.Take('}') {
			return f, nil
		}
		if !p.Take(',') {
			return f, fault("", strictjson.ErrSyntax)
		}
	}
}

func (p *filterParser) member(f *Filter, key string) error {
	const whyTwice strictjson.Error = "given more than once"
	twice := false
	var err error
	switch key {
	case "ids":
		if twice = f.IDs != nil; !twice {
			err = p.names()
			f.IDs = exact(p.ids)
		}
	case "authors":
		if twice = f.Authors != nil; !twice {
			err = p.names()
			f.Authors = make([]PubKey, len(p.ids))
			for i := range p.ids {
				f.Authors[i] = PubKey(p.ids[i])
			}
		}
	case "kinds":
		if twice = f.Kinds != nil; !twice {
			err = p.kindList()
			f.Kinds = exact(p.kinds)
		}
	case "since":
		if twice = f.HasSince; !twice {
			f.HasSince = true
			f.Since, err = p.integer()
		}
	case "until":
		if twice = f.HasUntil; !twice {
			f.HasUntil = true
			f.Until, err = p.integer()
		}
	case "limit":
		if twice = f.Limit != NoLimit; !twice {
			f.Limit, err = p.limit()
		}
	default:
		if len(key) != 2 || key[0] != '#' || !isLetter(key[1]) {
			return fault("", p.Skip(p.lim.MaxNesting))
		}
		for i := range f.Tags {
			twice = twice || f.Tags[i].Name == key[1]
		}
		if !twice {
			var t TagFilter
			t, err = p.tagFilter(key[1])
			f.Tags = append(f.Tags, t)
		}
	}
	if twice {
		err = whyTwice
	}
	return fault(key, err)
}

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
