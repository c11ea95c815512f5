package strictjson_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"rhea/proto/nostr/strictjson"
)

func TestNumber(t *testing.T) {
	type row struct {
		text string
		want int64
		form strictjson.Form
	}
	exact, fraction := strictjson.Exact, strictjson.Fraction
	large, small := strictjson.TooLarge, strictjson.TooSmall
	for _, r := range []row{
		{"0", 0, exact}, {"-0", 0, exact}, {"-0.0e5", 0, exact}, {"0e999999999999", 0, exact},
		{"7", 7, exact}, {"-7", -7, exact}, {"1.0", 1, exact}, {"1e3", 1000, exact},
		{"1E+3", 1000, exact}, {"1000e-3", 1, exact}, {"1.5e1", 15, exact}, {"1.5", 0, fraction},
		{"1e-1", 0, fraction}, {"0.5", 0, fraction}, {"5e-1", 0, fraction}, {"100e-3", 0, fraction},
		{"123456789012345678", 123456789012345678, exact},
		{"1234567890123456789", 1234567890123456789, exact},
		{"9223372036854775807", 1<<63 - 1, exact}, {"9223372036854775808", 0, large},
		{"-9223372036854775808", -1 << 63, exact}, {"-9223372036854775809", 0, small},
		{"9223372036854775807.0", 1<<63 - 1, exact}, {"9223372036854775807.5", 0, fraction},
		{"922337203685477580700e-2", 1<<63 - 1, exact},
		{"99999999999999999999", 0, large}, {"-99999999999999999999", 0, small},
		{"1e18", 1e18, exact}, {"1e19", 0, large}, {"-1e19", 0, small}, {"1e18446744073709551617", 0, large},
		{"1e-18446744073709551617", 0, fraction}, {"123456789012345678901234567890.5", 0, fraction},
		{"0." + strings.Repeat("0", 5000) + "1e5001", 1, exact},
		{"1" + strings.Repeat("0", 5000) + "e-5000", 1, exact},
	} {
		l := strictjson.New([]byte(r.text))
		n, err := l.Number()
		if err != nil || n.Int != r.want || n.Form != r.form || !l.End() {
			t.Errorf("%.40s: %+v, %v", r.text, n, err)
		}
	}
	for _, bad := range []string{"", "-", "+1", "01", "-01", "00", "1.", ".5", "1.e3", "1e", "1e+", "1ee3",
		"0x10", "NaN", "1_0", "--1", "000000000000000000000", "1a"} {
		l := strictjson.New([]byte(bad))
		if n, err := l.Number(); err == nil && l.End() {
			t.Errorf("%q: accepted as %+v", bad, n)
		}
	}
}

// TestNumberAgainstBig compares with exact arithmetic.
func TestNumberAgainstBig(t *testing.T) {
	const seed = 1
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 20000 {
		text := fmt.Sprint(rng.Uint64() >> rng.IntN(64))
		if rng.IntN(2) == 0 {
			text = "-" + text
		}
		if rng.IntN(2) == 0 {
			text += "." + fmt.Sprint(rng.Uint64()>>rng.IntN(64)) + strings.Repeat("0", rng.IntN(3))
		}
		if rng.IntN(2) == 0 {
			text += fmt.Sprintf("e%d", rng.IntN(50)-25)
		}
		want, _ := new(big.Rat).SetString(text)
		l := strictjson.New([]byte(text))
		n, err := l.Number()
		var ok bool
		switch {
		case !want.IsInt():
			ok = n.Form == strictjson.Fraction
		case want.Num().IsInt64():
			ok = n.Form == strictjson.Exact && n.Int == want.Num().Int64()
		case want.Sign() > 0:
			ok = n.Form == strictjson.TooLarge
		default:
			ok = n.Form == strictjson.TooSmall
		}
		if err != nil || !ok {
			t.Fatalf("%s: %+v, %v", text, n, err)
		}
	}
}

// TestStringAtEveryOffset moves each special byte through all positions of
// the eight-byte words that plain text is read in.
func TestStringAtEveryOffset(t *testing.T) {
	for _, special := range []string{`"`, `\`, "\n", "\x00", "\x1f", "é", "\U0010ffff", "\x7f"} {
		for at := range 20 {
			for rest := range 10 {
				want := strings.Repeat("a", at) + special + strings.Repeat("~", rest)
				text := strictjson.AppendString(nil, want)
				l := strictjson.New(text)
				if got, err := l.String(); got != want || err != nil || !l.End() {
					t.Fatalf("%s: %q, %v", text, got, err)
				}
			}
		}
	}
	for _, bad := range []string{"\x00", "\x1f", "\n", "\xff", "\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80"} {
		for at := range 20 {
			text := `"` + strings.Repeat("é", at/2) + strings.Repeat("a", at%2) + bad + `aaaaaaaaa"`
			l := strictjson.New([]byte(text))
			if got, err := l.String(); err == nil {
				t.Fatalf("%q: accepted as %q", text, got)
			}
		}
	}
}

// loneSurrogate finds half a pair in valid JSON without \\ and whole pairs.
var (
	pairs         = regexp.MustCompile(`\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}`)
	loneSurrogate = regexp.MustCompile(`\\u[dD][89a-fA-F][0-9a-fA-F]{2}`)
)

// FuzzSkip compares what is accepted as a value with encoding/json.
func FuzzSkip(f *testing.F) {
	for _, seed := range []string{`{}`, `[1,-2.5e+3,true,false,null,"a\u00e9\\"]`, `{"a":{"b":[[]]},"c":"\ud83d\ude00"}`,
		`"\ud83d"`, `"\\ud83d"`, `[,]`, `{"a"}`, `{"a":1,}`, `01`, "\"\xff\"", `tru`, ` 1 `, `{1:2}`, `[1 2]`, `nullx`} {
		f.Add([]byte(seed))
	}
	const depth = 20
	f.Fuzz(func(t *testing.T, b []byte) {
		l := strictjson.New(b)
		err := l.Skip(depth)
		if err == strictjson.ErrDepth {
			return
		}
		got := err == nil && l.End()
		rest := pairs.ReplaceAll(b, nil)
		want := json.Valid(b) && utf8.Valid(b) && !loneSurrogate.Match(rest)
		if got != want {
			t.Fatalf("%q: accepted %t, want %t (%v)", b, got, want, err)
		}
	})
}

// FuzzString compares decoded strings with encoding/json.
func FuzzString(f *testing.F) {
	for _, seed := range []string{`"a"`, `"\u0041\n\/é\ud83d\ude00"`, `"` + strings.Repeat("x", 30) + `\t"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l := strictjson.New(b)
		got, err := l.String()
		if err != nil {
			return
		}
		var want string
		if err := json.Unmarshal(b[:l.Offset()], &want); err != nil || got != want {
			t.Fatalf("%q: %q, want %q, %v", b, got, want, err)
		}
		again := strictjson.AppendString(nil, got)
		if err := json.Unmarshal(again, &want); err != nil || got != want {
			t.Fatalf("%q: written as %q, %v", got, again, err)
		}
		if len(again) > l.Offset() {
			t.Fatalf("%q grew to %q", b[:l.Offset()], again)
		}
	})
}
