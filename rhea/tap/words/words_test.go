package words

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode"

	"google.golang.org/protobuf/proto"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

func seeds() []*relaypb.OutInbox {
	return []*relaypb.OutInbox{
		{Body: &relaypb.OutInbox_Verdict{Verdict: &relaypb.Verdict{Num: 1, Outcome: 99, Text: "a\nb\x00\u2028\"", Id: []byte{1}}}},
		{Body: &relaypb.OutInbox_Part{Part: &relaypb.Part{Events: [][]byte{[]byte("{\"id\":\"\x1b[2J\",\"kind\":1e99}"), []byte("null"), nil}}}},
		{Body: &relaypb.OutInbox_Deliveries{Deliveries: &relaypb.Deliveries{
			Number: math.MaxUint64, Watching: []uint64{1, 2, 3, 4, 5},
			Events: []*relaypb.Delivery{{Seq: 1, Json: []byte(`{"id":"abcd",` + "\n" + `"kind":1}`), Nums: []uint64{9}}}, Ended: []*relaypb.Ended{{Num: 8}},
		}}},
	}
}

// Whatever the bytes are: a line is one line, without control characters, and JSON is
// JSON, in one line.
func FuzzWords(f *testing.F) {
	for _, m := range seeds() {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	member, err := proto.Marshal(&relaypb.Member{Stage: "\n", Stats: map[string]float64{"\n\"": math.NaN(), "b": math.Inf(1), "c": 1e300}, Store: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(member)
	entries, err := proto.Marshal(&relaypb.LogInbox{Body: &relaypb.LogInbox_Entries{Entries: &relaypb.Entries{Entries: []*relaypb.Entry{{Header: []byte{1}, Removed: []*relaypb.Removed{{Id: []byte{1}, CreatedAt: -5}}}}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(entries)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, m := range []proto.Message{new(relaypb.OutInbox), new(relaypb.Member), new(relaypb.LogInbox), new(relaypb.IngestInbox), new(relaypb.ReqInbox)} {
			if proto.Unmarshal(b, m) != nil {
				continue
			}
			if line := Line(m); strings.ContainsFunc(line, unicode.IsControl) {
				t.Errorf("%q", line)
			}
			object := AppendJSON(nil, m)
			if !json.Valid(object) || slices.Contains(object, '\n') {
				t.Errorf("%q", object)
			}
			Events(m, func(string) bool { return true })
			Nums(m)
		}
	})
}

func TestNumbers(t *testing.T) {
	all := seeds()
	if got := Nums(all[2]); !slices.Equal(slices.Sorted(slices.Values(got)), []uint64{1, 2, 3, 4, 5, 8, 9}) {
		t.Errorf("%d", got)
	}
	if _, ok := Conn(all[0]); ok {
		t.Error("a verdict has no connection")
	}
	if c, ok := Conn(&relaypb.Stop{Conn: 5}); !ok || c != subject.ConnID(5) {
		t.Error(c, ok)
	}
	if !Mentions(all[2], "ab") || Mentions(all[2], "abcde") || Mentions(all[0], "02") || !Mentions(all[0], "01") {
		t.Error("mentions")
	}
	removed := &relaypb.Entries{Entries: []*relaypb.Entry{{Removed: []*relaypb.Removed{{Id: []byte{0xfe}}}}}}
	if !Mentions(removed, "fe") {
		t.Error("what is removed is not mentioned")
	}
}
