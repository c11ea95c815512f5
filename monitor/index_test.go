package monitor

import (
	"fmt"
	"strings"
	"testing"

	"rhea/proto/nostr"
)

func parse(t *testing.T, text string) nostr.Filter {
	f, err := nostr.ParseFilter([]byte(longhand(text)), nostr.FilterLimits{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return f
}

// Where a filter stands in the index.
func TestSelective(t *testing.T) {
	feed := make([]string, 200)
	for i := range feed {
		feed[i] = fmt.Sprintf("%q", fmt.Sprintf("%064x", i))
	}
	authors := `"authors":[` + strings.Join(feed, ",") + `]`
	for _, c := range []struct {
		filter string
		field  field
		tag    byte
	}{
		{`{}`, byNothing, 0},
		{`{"since":5,"limit":3}`, byNothing, 0},
		{`{"kinds":[1]}`, byKind, 0},
		{`{"ids":["a*"],"authors":["b*"],"#e":["c*"]}`, byID, 0},
		{`{` + authors + `,"kinds":[1,6]}`, byAuthor, 0},
		{`{` + authors + `,"#p":["a*"]}`, byTag, 'p'},
		{`{` + authors + `,"#t":["nostr"]}`, byTag, 't'},
		{`{"authors":["a*","b*"],"#t":["nostr"]}`, byAuthor, 0},
		{`{"authors":["a*"],"#p":["b*"],"kinds":[4]}`, byAuthor, 0},
		{`{"#t":["nostr"],"#e":["a*","b*"],"kinds":[1]}`, byTag, 'e'},
		{`{"#t":["x","y"],"#a":["30023:k:x"]}`, byTag, 'a'},
		{`{"kinds":[1],"#l":["en"]}`, byTag, 'l'},
		{`{"kinds":[1],"#t":[]}`, nowhere, 0},
		{`{"kinds":[99999],"ids":["a*"]}`, nowhere, 0},
	} {
		f := parse(t, c.filter)
		got, tag := selective(&f)
		if got != c.field || got == byTag && f.Tags[tag].Name != c.tag {
			t.Errorf("%.60s…: field %d tag %d, want field %d", c.filter, got, tag, c.field)
		}
	}
}

// A commit is held against a filter once, however many of its values it has, and
// not at all when the filter wants other kinds.
func TestEachFilterIsTriedOnce(t *testing.T) {
	x := newIndex(newFilters())
	wanted := x.intern(parse(t, `{"#t":["a","b","c"],"kinds":[1]}`))
	x.add(wanted)
	x.add(x.intern(parse(t, `{"#t":["a","b","c"],"kinds":[7]}`)))
	e := &nostr.Event{Kind: 1, Tags: []nostr.Tag{{"t", "a"}, {"t", "b"}, {"t", "a"}, {"x", "y"}}}
	found := 0
	x.match(nostr.AppendHeader(nil, e), func(f *liveFilter) {
		if found++; f != x.at(wanted) {
			t.Error("the wrong filter matches")
		}
	})
	if found != 1 || x.tried != 1 {
		t.Errorf("found %d times, tried %d, want once", found, x.tried)
	}
}
