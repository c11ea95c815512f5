package nostr_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
)

// loneSurrogate finds half a pair in what pairs leaves of valid JSON.
var (
	pairs         = regexp.MustCompile(`\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}`)
	loneSurrogate = regexp.MustCompile(`\\u[dD][89a-fA-F][0-9a-fA-F]{2}`)
)

// slowParse is a second opinion about what an event is, by encoding/json.
func slowParse(b []byte) (*nostr.Event, bool) {
	if !json.Valid(b) || !utf8.Valid(b) || loneSurrogate.Match(pairs.ReplaceAll(b, nil)) {
		return nil, false
	}
	members, ok := slowMembers(b)
	if !ok {
		return nil, false
	}
	var e nostr.Event
	var createdAt, kind int64
	ok = slowHex(e.ID[:], members["id"]) && slowHex(e.PubKey[:], members["pubkey"]) &&
		slowHex(e.Sig[:], members["sig"]) && slowString(&e.Content, members["content"]) &&
		slowInt(&createdAt, members["created_at"]) && slowInt(&kind, members["kind"]) && kind < 1<<16
	if !ok {
		return nil, false
	}
	e.CreatedAt, e.Kind = createdAt, nostr.Kind(kind)
	var tags [][]*string
	raw := members["tags"]
	if len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &tags) != nil {
		return nil, false
	}
	e.Tags = []nostr.Tag{}
	for _, tag := range tags {
		var elems nostr.Tag
		for _, s := range tag {
			if s == nil {
				return nil, false
			}
			elems = append(elems, *s)
		}
		if len(elems) == 0 {
			return nil, false
		}
		e.Tags = append(e.Tags, elems)
	}
	return &e, true
}

// slowMembers returns the seven fields, each given once.
func slowMembers(b []byte) (map[string]json.RawMessage, bool) {
	const known = " id pubkey created_at kind tags content sig "
	dec := json.NewDecoder(bytes.NewReader(b))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, false
	}
	members := map[string]json.RawMessage{}
	for dec.More() {
		key, err := dec.Token()
		var raw json.RawMessage
		if err != nil || dec.Decode(&raw) != nil {
			return nil, false
		}
		name := key.(string)
		if strings.Contains(known, " "+name+" ") && name != "" && !strings.Contains(name, " ") {
			if members[name] != nil {
				return nil, false
			}
			members[name] = raw
		}
	}
	return members, len(members) == 7
}

func slowString(s *string, raw json.RawMessage) bool {
	return len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, s) == nil
}

func slowHex(dst []byte, raw json.RawMessage) bool {
	var s string
	if !slowString(&s, raw) || len(s) != 2*len(dst) || strings.ToLower(s) != s {
		return false
	}
	_, err := hex.Decode(dst, []byte(s))
	return err == nil
}

func slowInt(n *int64, raw json.RawMessage) bool {
	if len(raw) == 0 || raw[0] == '"' {
		return false
	}
	r, ok := new(big.Rat).SetString(string(raw))
	if !ok || !r.IsInt() || !r.Num().IsInt64() || r.Sign() < 0 {
		return false
	}
	*n = r.Num().Int64()
	return true
}

// longExponent is what exact arithmetic takes too long for.
var longExponent = regexp.MustCompile(`[eE][+-]?[0-9]{4}`)

func FuzzParseEvent(f *testing.F) {
	for i, line := range nostrtest.Lines(f) {
		if i%100 == 0 && len(line) < 2000 {
			f.Add(line)
		}
	}
	for _, edge := range []string{
		`{"id":"$ID","pubkey":"$PK","created_at":1e+10,"kind":1.0,"tags":[["-"],["d",""]],"content":"\ud83d\ude00\u0000","sig":"$SIG","x":[{"y":1e5}]}`,
		`{"id":"$ID","id":"$ID"}`, `{"\u0069d":"$ID"}`, `{"content":"\ud83d"}`, `{"tags":[[]]}`, `{"tags":[[null]]}`,
	} {
		f.Add([]byte(expand(edge)))
	}
	const nesting = 40
	f.Fuzz(func(t *testing.T, b []byte) {
		input := bytes.Clone(b)
		e, err := nostr.ParseEvent(b, nostr.EventLimits{MaxNesting: nesting})
		if !bytes.Equal(input, b) {
			t.Fatal("the input was written")
		}
		if err != nil {
			if text := err.Error(); len(text) > 100 || !utf8.ValidString(text) {
				t.Fatalf("error not fit for a client: %q", text)
			}
		} else {
			checkForms(t, e, b)
		}
		if longExponent.Match(b) || bytes.Count(b, []byte("["))+bytes.Count(b, []byte("{")) > nesting {
			return
		}
		want, ok := slowParse(b)
		if ok != (err == nil) || ok && !reflect.DeepEqual(e, want) {
			t.Fatalf("%q: %+v, %v, want %+v", b, e, err, want)
		}
	})
}

func FuzzParseFilters(f *testing.F) {
	events := nostrtest.Events(f)
	gen := nostrtest.NewFilterGen(1, events)
	for range 30 {
		f.Add(append(append(gen.JSON(), ','), gen.JSON()...))
	}
	for _, edge := range []string{`{}`, `{"ids":[]},{"limit":1e3}`, `{"since":-1e300,"kinds":[1.0,70000]}`,
		`{"#t":["\u0000","\ud83d\ude00"],"search":{"x":[]}}`, `{"#e":["x"]}`} {
		f.Add([]byte(edge))
	}
	events = events[:50]
	f.Fuzz(func(t *testing.T, b []byte) {
		filters, err := nostr.ParseFilters(b, nostr.FilterLimits{})
		if err != nil {
			if text := err.Error(); len(text) > 100 || !utf8.ValidString(text) {
				t.Fatalf("error not fit for a client: %q", text)
			}
			return
		}
		var text []byte
		for i := range filters {
			if i > 0 {
				text = append(text, ',')
			}
			text = filters[i].AppendJSON(text)
		}
		again, err := nostr.ParseFilters(text, nostr.FilterLimits{})
		if err != nil || !reflect.DeepEqual(filters, again) {
			t.Fatalf("%q written as %q: %v", b, text, err)
		}
		for i := range filters {
			f := filters[i : i+1]
			if f[0].Limit = nostr.NoLimit; f[0].Impossible() && len(nostrtest.Oracle(events, f)) > 0 {
				t.Fatalf("%q is possible", b)
			}
			compareWithOracle(t, events, f)
		}
	})
}

func FuzzCheckHeader(f *testing.F) {
	gen := nostrtest.NewEventGen(1, 1_700_000_000)
	for range 50 {
		f.Add([]byte(nostr.AppendHeader(nil, gen.Event())))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := nostr.CheckHeader(b)
		if err != nil {
			return
		}
		// What passes is the header of the event that it describes.
		e := &nostr.Event{ID: h.ID(), PubKey: h.PubKey(), CreatedAt: h.CreatedAt(), Kind: h.Kind()}
		hasD := false
		for name, value := range h.Tags() {
			e.Tags = append(e.Tags, nostr.Tag{string(rune(name)), value.String()})
			hasD = hasD || name == 'd' && h.D() == value
		}
		if h.Protected() {
			e.Tags = append(e.Tags, nostr.Tag{"-"})
		}
		if h.Expiration() > 0 {
			e.Tags = append(e.Tags, nostr.Tag{"expiration", strconv.FormatInt(h.Expiration(), 10)})
		}
		if !bytes.Equal(nostr.AppendHeader(nil, e), h) {
			e.Tags = append([]nostr.Tag{{"d"}}, e.Tags...)
			if h.D() != (nostr.TagValue{}) || !bytes.Equal(nostr.AppendHeader(nil, e), h) {
				t.Fatalf("%x is no header of %+v", b, e)
			}
		}
	})
}
