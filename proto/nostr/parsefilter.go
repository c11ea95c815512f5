package nostr

import (
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
