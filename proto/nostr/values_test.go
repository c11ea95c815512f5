package nostr_test

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"rhea/proto/nostr"
)

func TestIDs(t *testing.T) {
	a, sig := strings.Repeat("0a", 32), strings.Repeat("f0", 64)
	id, err1 := nostr.ParseEventID(a)
	pk, err2 := nostr.ParsePubKey(a)
	s, err3 := nostr.ParseSig(sig)
	if err1 != nil || err2 != nil || err3 != nil || id.String() != a || pk.String() != a || s.String() != sig {
		t.Error(id, pk, s, err1, err2, err3)
	}
	for _, bad := range []string{"", a[:63], a + "0", a + a + a, strings.ToUpper(a), a[:63] + "g", a[:62] + "\xff\xff", " " + a[1:]} {
		_, err1 := nostr.ParseEventID(bad)
		_, err2 := nostr.ParsePubKey(bad)
		_, err3 := nostr.ParseSig(bad)
		if err1 == nil || err2 == nil || err3 == nil {
			t.Errorf("%q accepted", bad)
		}
	}
	if id.Compare(nostr.EventID{}) != 1 || id.Compare(id) != 0 || (nostr.PubKey{}).Compare(pk) != -1 {
		t.Error("order")
	}
}

func TestTagValues(t *testing.T) {
	hex := strings.Repeat("5e", 32)
	texts := []string{"", "a", "b", "^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^", hex, hex[:62] + "5f", strings.ToUpper(hex), hex + "0"}
	for _, x := range texts {
		v := nostr.NewTagValue(x)
		raw, packed := v.Packed()
		if packed != (len(x) == 64 && x == strings.ToLower(x)) || packed && string(raw) != string(v.Raw()) ||
			!packed && string(v.Raw()) != x || v.String() != x || string(v.AppendTo([]byte("-"))) != "-"+x || v.Clone() != v {
			t.Errorf("%q became %q", x, v)
		}
		for _, y := range texts {
			w := nostr.NewTagValue(y)
			if (x == y) != v.Equal(w) || (x == y) != (v.Compare(w) == 0) || v.Compare(w) != -w.Compare(v) {
				t.Errorf("%q and %q: equal %t, order %d", x, y, v.Equal(w), v.Compare(w))
			}
		}
	}
	if v, ok := nostr.NewTagValue(hex).Packed(); !ok || nostr.PackedTagValue([32]byte(v)) != nostr.NewTagValue(hex) {
		t.Error("two ways to pack")
	}
}

// TestCheckHeaderRefuses spoils a header in every way that has a name.
func TestCheckHeaderRefuses(t *testing.T) {
	const tagsAt = 84
	fixed := nostr.AppendHeader(nil, &nostr.Event{})[:tagsAt]
	with := func(tags ...byte) []byte { return append(slices.Clone([]byte(fixed)), tags...) }
	set := func(at int, v byte) []byte {
		b := with(0)
		b[at] = v
		return b
	}
	text := func(name byte, s string) []byte {
		return append(binary.AppendUvarint([]byte{1, name}, uint64(len(s))<<1), s...)
	}
	for _, c := range []struct {
		why string
		b   []byte
	}{
		{"too short", nil},
		{"too short", fixed},
		{"unknown version 2", set(0, 2)},
		{"negative time", set(65, 0x80)},
		{"negative time", set(76, 0x80)},
		{"unknown flags", set(75, 4)},
		{"malformed tag count", with(0x80)},
		{"malformed tag count", with(0x80, 0)},
		{"malformed tag count", with(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)},
		{"malformed tag name", with(1)},
		{"malformed tag name", with(1, 't')},
		{"malformed tag name", with(1, '-', 0)},
		{"malformed tag name", with(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1)},
		{"malformed tag length", with(1, 't', 0x80)},
		{"malformed tag length", with(1, 't', 0x80, 0)},
		{"malformed tag length", with(1, 't', 4, 'x')},
		{"malformed tag length", with(1, 't', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1)},
		{"not in canonical form", with(1, 't', 3, 'x')},
		{"not in canonical form", with(text('t', strings.Repeat("0a", 32))...)},
		{"trailing bytes", with(0, 0)},
		{"trailing bytes", with(1, 't', 2, 'x', 0)},
	} {
		if _, err := nostr.CheckHeader(c.b); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%x: %v, want %s", c.b, err, c.why)
		}
	}
	for _, good := range [][]byte{with(0), with(1, 't', 2, 'x'), with(text('Z', strings.Repeat("0A", 32))...)} {
		if _, err := nostr.CheckHeader(good); err != nil {
			t.Errorf("%x: %v", good, err)
		}
	}
}

func TestParseFilterIsOne(t *testing.T) {
	if _, err := nostr.ParseFilter([]byte(` {"kinds":[1]} `), nostr.FilterLimits{}); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{``, `{},{}`, `{} x`, `[{}]`} {
		if _, err := nostr.ParseFilter([]byte(bad), nostr.FilterLimits{}); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}

// TestFilterOwnsItsMemory overwrites the frame after parsing.
func TestFilterOwnsItsMemory(t *testing.T) {
	b := []byte(`{"#t":["topic","other"],"#e":["` + strings.Repeat("ab", 32) + `"]}`)
	f, err := nostr.ParseFilter(b, nostr.FilterLimits{})
	if err != nil {
		t.Fatal(err)
	}
	before := string(f.AppendJSON(nil))
	for i := range b {
		b[i] = 'x'
	}
	if after := string(f.AppendJSON(nil)); after != before {
		t.Errorf("%s became %s", before, after)
	}
}
