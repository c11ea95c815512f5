package wire

import "testing"

func TestSplit(t *testing.T) {
	for _, c := range []struct{ msg, verb, arg, rest string }{
		{`["OK","ab",true,""]`, "OK", "ab", `true,""]`},
		{`[ "EVENT" , "s" , {"id":"x"}]`, "EVENT", "s", `{"id":"x"}]`},
		{`["EOSE","a\"b\\"]`, "EOSE", `a\"b\\`, `]`},
		{`["NOTICE","x"]`, "NOTICE", "x", "]"},
		{`["OK",1]`, "", "", ""},
		{`{"OK":"x"}`, "", "", ""},
		{`["OK","x`, "", "", ""},
		{`["OK"`, "", "", ""},
		{`[`, "", "", ""},
		{``, "", "", ""},
	} {
		verb, arg, rest, ok := Split([]byte(c.msg))
		if ok != (c.verb != "") || string(verb) != c.verb || string(arg) != c.arg || string(rest) != c.rest {
			t.Errorf("%s: %q %q %q %v", c.msg, verb, arg, rest, ok)
		}
	}
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		rest     string
		accepted bool
		reason   string
	}{
		{`true,""]`, true, ""},
		{`true, "duplicate: have it"]`, true, "duplicate: have it"},
		{`false,"blocked: no"]`, false, "blocked: no"},
		{`false]`, false, ""},
		{`"true"]`, false, ""},
		{``, false, ""},
	} {
		if accepted, reason := Verdict([]byte(c.rest)); accepted != c.accepted || reason != c.reason {
			t.Errorf("%s: %v %q", c.rest, accepted, reason)
		}
	}
}

func TestEventKey(t *testing.T) {
	for event, want := range map[string]Key{
		`{"id":"0123456789abcdef00"}`:                                          0x0123456789abcdef,
		`{"content":"\"id\":\"ffffffffffffffff\"","id": "0123456789abcdef00"}`: 0x0123456789abcdef,
		`{"id":7}`:     0,
		`{"id":"01"}`:  0,
		`{"kind":1}`:   0,
		`{"id":"0123x`: 0,
		`{"id":`:       0,
	} {
		if got, ok := EventKey([]byte(event)); got != want || ok != (want != 0) {
			t.Errorf("%s: %x %v", event, got, ok)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte(`["OK","ab",true,"x"]`))
	f.Add([]byte(`["EVENT","a\"",{"id":"00"}]`))
	f.Fuzz(func(t *testing.T, msg []byte) {
		_, _, rest, _ := Split(msg)
		Verdict(rest)
		EventKey(rest)
	})
}
