package frame_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cockroachdb/datadriven"

	"rhea/proto/frame"
	"rhea/proto/nostr"
)

// TestTranscripts runs testdata/transcripts. Commands:
//
//	client [quoted]   ParseClient
//	eventid [quoted]  EventIDOf
//
// quoted: the input is a Go string literal without its quotes.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			input := d.Input
			if d.HasArg("quoted") {
				var err error
				if input, err = strconv.Unquote(`"` + strings.ReplaceAll(input, `"`, `\"`) + `"`); err != nil {
					d.Fatalf(t, "%v", err)
				}
			}
			if d.Cmd == "eventid" {
				id, ok := frame.EventIDOf([]byte(input))
				return fmt.Sprintf("%q %t\n", id, ok)
			}
			c, err := frame.ParseClient([]byte(input))
			out := fmt.Sprintf("%s sub %q body %q\n", c.Verb, c.Sub, c.Body)
			if err != nil {
				out += err.Error() + "\n"
			}
			return out
		})
	})
}

// TestSubIDLength counts characters, not bytes.
func TestSubIDLength(t *testing.T) {
	for _, char := range []string{"a", "é", "€", "🐦", `\n`, `\u00e9`, `\ud83d\udc26`} {
		for n, ok := range map[int]bool{0: false, 1: true, 64: true, 65: false, 1000: false} {
			text := `["CLOSE","` + strings.Repeat(char, n) + `"]`
			c, err := frame.ParseClient([]byte(text))
			if (err == nil) != ok || c.Verb != frame.Close || ok != (c.Sub != "") {
				t.Errorf("%d times %q: %q, %v", n, char, c.Sub, err)
			}
		}
	}
}

// TestRelay writes every message and reads it with encoding/json.
func TestRelay(t *testing.T) {
	const odd = "s\"\\\n\x00\u2028é🐦"
	var id nostr.EventID
	id[0] = 0xab
	registers := new([256]byte)
	registers[255] = 7
	for _, c := range []struct {
		got  []byte
		want []any
	}{
		{frame.AppendOK(nil, id, true, ""), []any{"OK", id.String(), true, ""}},
		{frame.AppendOK(nil, id, false, nostr.Invalid.Text(odd)), []any{"OK", id.String(), false, "invalid: " + odd}},
		{frame.AppendOKText(nil, odd, false, odd), []any{"OK", odd, false, odd}},
		{frame.AppendEOSE(nil, odd), []any{"EOSE", odd}},
		{frame.AppendEOSE(nil, odd, "finish", "x"), []any{"EOSE", odd, []any{"finish", "x"}}},
		{frame.AppendClosed(nil, odd, odd), []any{"CLOSED", odd, odd}},
		{frame.AppendNotice(nil, odd), []any{"NOTICE", odd}},
		{frame.AppendNotice(nil, "a\xffb"), []any{"NOTICE", "a\ufffdb"}},
		{frame.AppendAuth(nil, odd), []any{"AUTH", odd}},
		{frame.AppendEvent(nil, odd, []byte(`{"kind":1}`)), []any{"EVENT", odd, map[string]any{"kind": 1.0}}},
		{append(frame.EventPrefix(odd), "{}]"...), []any{"EVENT", odd, map[string]any{}}},
		{frame.AppendCount(nil, odd, frame.CountResult{Count: 5}), []any{"COUNT", odd, map[string]any{"count": 5.0}}},
		{frame.AppendCount(nil, odd, frame.CountResult{Count: 5, Approximate: true, HLL: registers}), []any{"COUNT", odd,
			map[string]any{"count": 5.0, "approximate": true, "hll": strings.Repeat("00", 255) + "07"}}},
		{frame.AppendNegMsg(nil, odd, []byte{0x61, 0xff}), []any{"NEG-MSG", odd, "61ff"}},
		{frame.AppendNegErr(nil, odd, odd), []any{"NEG-ERR", odd, odd}},
		{frame.AppendNegErrMax(nil, odd, odd, 500), []any{"NEG-ERR", odd, odd, 500.0}},
	} {
		var got []any
		if err := json.Unmarshal(c.got, &got); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v", c.got, err)
		}
	}
	if got := frame.AppendEOSE([]byte("before "), "s"); string(got) != `before ["EOSE","s"]` {
		t.Errorf("%s", got)
	}
}

func FuzzParseClient(f *testing.F) {
	for _, seed := range []string{
		`["EVENT",{"kind":1}]`, `["REQ","s",{},{"kinds":[1]}]`, `["CLOSE","s"]`, `["COUNT","s",{}]`, `["AUTH",{}]`,
		`["NEG-OPEN","s",{},"61"]`, `["NEG-MSG","s","61"]`, `["NEG-CLOSE","s"]`, ` [ "REQ" , "\ud83d\ude00" , {} ] `,
		`["CLOSE","s",1]`, `["X"]`, `[]`, `["REQ","s",]`, `["REQ"`, `"REQ"]`, `["REQ","\ud83d",{}]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		input := bytes.Clone(b)
		c, err := frame.ParseClient(b)
		if !bytes.Equal(input, b) {
			t.Fatal("the input was written")
		}
		if utf8.RuneCountInString(string(c.Sub)) > frame.MaxSubIDLength || !utf8.ValidString(string(c.Sub)) {
			t.Fatalf("sub %q", c.Sub)
		}
		var e *frame.Error
		if err != nil && (!errors.As(err, &e) || len(e.Error()) > 100 || !utf8.ValidString(e.Error())) {
			t.Fatalf("error not fit for a client: %q", err)
		}
		frame.EventIDOf(b)
		var array []json.RawMessage
		if json.Unmarshal(b, &array) != nil || !utf8.Valid(b) || bytes.ContainsRune(b, '\\') {
			return // the body is not looked at, and lone surrogates are our own rule
		}
		checkAgainstArray(t, c, err, array)
	})
}

// checkAgainstArray compares with what encoding/json sees in valid JSON.
func checkAgainstArray(t *testing.T, c frame.Client, err error, array []json.RawMessage) {
	text := func(i int) (s string) {
		if len(array) <= i || array[i][0] != '"' || json.Unmarshal(array[i], &s) != nil {
			return ""
		}
		return s
	}
	verb, sub, rest := text(0), "", 1
	switch verb {
	case "EVENT", "AUTH":
	case "REQ", "CLOSE", "COUNT", "NEG-OPEN", "NEG-MSG", "NEG-CLOSE":
		sub, rest = text(1), 2
		if utf8.RuneCountInString(sub) > frame.MaxSubIDLength {
			sub = ""
		}
	default:
		verb = ""
	}
	ok := verb != "" && (rest == 1 || sub != "")
	if verb == "CLOSE" || verb == "NEG-CLOSE" {
		ok = ok && len(array) == rest
	} else {
		ok = ok && len(array) > rest
	}
	if ok != (err == nil) || c.Verb.String() != verb || string(c.Sub) != sub {
		t.Fatalf("%s: %+v, %v", array, c, err)
	}
	if !ok || len(array) == rest {
		return
	}
	var body []json.RawMessage
	if json.Unmarshal([]byte("["+string(c.Body)+"]"), &body) != nil || !reflect.DeepEqual(body, array[rest:]) {
		t.Fatalf("%s: body %q", array, c.Body)
	}
}

func FuzzEventIDOf(f *testing.F) {
	for _, seed := range []string{`{"id":"ab"}`, `{"content":"\"id\":\"x\"","tags":[["id","y"]],"id":"z"}`, `{"\u0069d":"a"}`, `{"a":{"id":"x"}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		id, ok := frame.EventIDOf(b)
		if ok && (id == "" || len(id) > 64 || !utf8.ValidString(id)) {
			t.Fatalf("%q, %t", id, ok)
		}
		if bytes.Count(b, []byte("id"))+bytes.Count(b, []byte(`\u`)) > 1 {
			return // the first of several, where encoding/json takes the last
		}
		var members map[string]json.RawMessage
		var want string
		if json.Unmarshal(b, &members) != nil || json.Unmarshal(members["id"], &want) != nil {
			return
		}
		if ok && id != want {
			t.Fatalf("%q: %q, want %q", b, id, want)
		}
	})
}

func BenchmarkParseClient(b *testing.B) {
	text := []byte(`["REQ","0123456789abcdef",{"kinds":[1],"authors":["` + strings.Repeat("ab", 32) + `"]}]`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := frame.ParseClient(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEventIDOf(b *testing.B) {
	text := []byte(`{"content":"` + strings.Repeat("x", 500) + `","id":"` + strings.Repeat("ab", 32) + `"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := frame.EventIDOf(text); !ok {
			b.Fatal("not found")
		}
	}
}
