package ingester

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// slowEmbeds is a second opinion by encoding/json: whether content is an object
// with a "-" tag in any of its tags members.
func slowEmbeds(content string) bool {
	if !json.Valid([]byte(content)) {
		return false
	}
	d := json.NewDecoder(strings.NewReader(content))
	if brace, err := d.Token(); err != nil || brace != json.Delim('{') {
		return false
	}
	for d.More() {
		var value json.RawMessage
		key, err := d.Token()
		if err != nil || d.Decode(&value) != nil {
			return false
		}
		if key == "tags" && slowHasDash(value) {
			return true
		}
	}
	return false
}

func slowHasDash(tags json.RawMessage) bool {
	var all, tag []json.RawMessage
	if json.Unmarshal(tags, &all) != nil {
		return false
	}
	for _, raw := range all {
		var name string
		if json.Unmarshal(raw, &tag) == nil && len(tag) > 0 && tag[0][0] == '"' && json.Unmarshal(tag[0], &name) == nil && name == "-" {
			return true
		}
	}
	return false
}

// FuzzEmbedsProtected: what a lenient parser finds is found, and nothing else but
// what a stricter one cannot tell.
func FuzzEmbedsProtected(f *testing.F) {
	for _, content := range []string{
		``, `{}`, `{"tags":[["-"]]}`, "{ \"t\\u0061gs\"\t:\n[[\"e\"],[\"\\u002d\",1]],\"x\":{}}", `{"tags":[["-"]],"tags":[]}`,
		`{"content":"[\"-\"]","tags":[["t","-"]]}`, `{"tags":[null,5,[],[[["-"]]],[5,"-"]]}`, `{"tags":[["-"]]`,
		`{"a":"\ud800","tags":[["-"]]}`, `{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `,"tags":[["-"]]}`,
	} {
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content string) {
		if !utf8.ValidString(content) { // no parsed event has such a content
			return
		}
		got, want := embedsProtected(content), slowEmbeds(content)
		lower := bytes.ToLower([]byte(content))
		doubtful := bytes.Contains(lower, []byte(`\ud`)) || bytes.Count(lower, []byte("["))+bytes.Count(lower, []byte("{")) > maxNesting
		if got != want && !(got && doubtful) {
			t.Fatalf("%q: %v, want %v", content, got, want)
		}
	})
}

// Nesting is followed as far as it is bounded; what is beyond counts as protected,
// and whatever the depth the stack holds.
func TestEmbedsProtectedNesting(t *testing.T) {
	nested := func(depth int, tags string) string {
		return `{"a":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `,"tags":[["` + tags + `"],["t","-"]]}`
	}
	for _, c := range []struct {
		content string
		want    bool
	}{
		{nested(maxNesting, "t"), false},
		{nested(maxNesting, "-"), true},
		{nested(maxNesting+1, "t"), true},
		{nested(maxNesting+1, "-"), true},
		{nested(100_000, "t"), true},
		{strings.Replace(nested(100_000, "t"), `"-"`, `"x"`, 1), false}, // not even a candidate
	} {
		if got := embedsProtected(c.content); got != c.want {
			t.Errorf("%.60q: %v, want %v", c.content, got, c.want)
		}
	}
}
