package policy

import (
	"fmt"
	"strings"
	"testing"

	"rhea/proto/nostr"
)

func TestDefault(t *testing.T) {
	p := Default()
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, k := range []nostr.Kind{4, 1059, 21059} {
		a := p.Access(nil)
		if !a.IsPrivate(k) {
			t.Errorf("kind %d is not private", k)
		}
	}
}

func TestText(t *testing.T) {
	var k Kinds
	for text, want := range map[string]string{"": "", "4": "4", " 7, 4,4 ": "4,7", "10-13,12": "10-13", "1,2,4,5,6,8": "1,2,4-6,8", "65534-65535,0-2": "0-2,65534,65535"} {
		if err := k.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, _ := k.MarshalText(); string(got) != want {
			t.Errorf("kinds %q: %q", text, got)
		}
	}
	for _, text := range []string{"x", "-1", "65536", "9-7", "1-2-3", "1;2"} {
		if k.UnmarshalText([]byte(text)) == nil {
			t.Errorf("kinds %q: no error", text)
		}
	}
	var d Difficulties
	if err := d.UnmarshalText([]byte("7:8, 1:16")); err != nil {
		t.Fatal(err)
	}
	if got, _ := d.MarshalText(); string(got) != "1:16,7:8" {
		t.Errorf("difficulties %q", got)
	}
	for _, text := range []string{"1", "1:x", "x:1", "1:1,1:2", "1:300"} {
		if d.UnmarshalText([]byte(text)) == nil {
			t.Errorf("difficulties %q: no error", text)
		}
	}
	var a Auth
	if a.UnmarshalText([]byte("needed")) != nil || a != AuthNeeded || a.UnmarshalText([]byte("Needed")) == nil {
		t.Errorf("auth %q", a)
	}
}

func TestValidate(t *testing.T) {
	for i, p := range []Policy{
		{URLs: []string{"relay.example.org"}}, {URLs: []string{"ftp://x.org"}}, {URLs: []string{"wss://"}},
		{URLs: []string{"wss://:443"}}, {URLs: []string{"wss://me@x.org"}}, {URLs: []string{"wss://x.org?a=b"}},
		{URLs: []string{"wss://x.org/#a"}}, {URLs: []string{"wss://bücher.example"}}, {URLs: []string{"wss://x.org", ""}},
		{MinPoW: -1}, {MinPoW: 65}, {KindPoW: Difficulties{1: 200}}, {PrivateKinds: Kinds{5, 4}}, {ExemptKinds: Kinds{5, 4}},
	} {
		if p.Validate() == nil {
			t.Errorf("%d: no error for %+v", i, p)
		}
	}
}

func TestDifficulty(t *testing.T) {
	p := Default()
	p.MinPoW, p.KindPoW = 20, Difficulties{1: 8, 10002: 4, 7: 0}
	for kind, want := range map[nostr.Kind]int{1: 8, 7: 0, 9: 20, 10002: 4, 10050: 0, 24133: 0, 1059: 0, 5: 0, 62: 0} {
		if got := p.Difficulty(kind); got != want {
			t.Errorf("kind %d: %d bits, want %d", kind, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	some := Default()
	some.URLs = []string{"wss://Relay.example.org/", "ws://127.0.0.1:7777", "wss://example.net/relay/"}
	var none Policy
	if err := some.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		tag, host         string
		relay, auth, bare bool // Relay, Host, and Host of a relay without URLs
	}{
		{"wss://relay.example.org", "x", true, true, false},
		{"ws://relay.example.org:80/", "relay.example.org", true, true, true},
		{"WSS://RELAY.example.org:443", "relay.example.org:443", true, true, true},
		{" wss://relay.example.org. ", "", true, true, false},
		{"wss://relay.example.org/path", "Relay.example.org.", false, true, true},
		{"wss://relay.example.org/?a=b#c", "relay.example.org:80", true, true, true},
		{"wss://relay.example.org:444", "relay.example.org", false, false, false},
		{"https://example.net/relay", "example.net", true, true, true},
		{"wss://example.net/RELAY", "example.net", false, true, true},
		{"wss://example.net", "example.net", false, true, true},
		{"ws://127.0.0.1:7777", "127.0.0.1:7777", true, true, true},
		{"ws://127.0.0.1:7778", "127.0.0.1:7777", false, false, false},
		{"wss://evil.example.org", "relay.example.org", false, false, false},
		{"wss://relay.example.org.evil.net", "relay.example.org", false, false, false},
		{"wss://relay.example.org@evil.net", "relay.example.org", false, false, false},
		{"relay.example.org", "relay.example.org", false, false, false},
		{"ftp://relay.example.org", "relay.example.org", false, false, false},
		{"", "", false, false, false},
		{"wss://", "", false, false, false},
		{"wss://:80", ":80", false, false, false},
		{"wss://[::1]:7777", "[::1]:7777", false, false, true},
		{"ws://[::1]", "[::1]:80", false, false, true},
		{"intentionally wrong relay", "relay.example.org", false, false, false},
		{AllRelays, "ALL_RELAYS", false, false, false},
		{"wss://relay.example.org/" + strings.Repeat("/", maxURL), "relay.example.org", false, false, false},
	} {
		got := fmt.Sprint(some.Names().Relay(c.tag), some.Names().Host(c.tag, c.host), none.Names().Host(c.tag, c.host), none.Names().Relay(c.tag))
		if want := fmt.Sprint(c.relay, c.auth, c.bare, false); got != want {
			t.Errorf("%q at %q: %s, want %s", c.tag, c.host, got, want)
		}
	}
}
