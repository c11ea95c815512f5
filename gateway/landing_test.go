package gateway

import (
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"rhea/proto/policy"
	"rhea/proto/stage"
)

// The page names the addresses that are set, and where it was asked for when none
// is; a proxy may say that it was asked for with TLS, and nobody else.
func TestLandingAddress(t *testing.T) {
	for _, c := range []struct {
		urls        []string
		host, proto string
		from        string
		want        string
	}{
		{nil, "relay.example.org", "", "192.0.2.1:5", `value="ws://relay.example.org"`},
		{nil, "Relay.example.org:7777", "https", "192.0.2.1:5", `value="ws://relay.example.org:7777"`},
		{nil, "relay.example.org", "https", "10.0.0.1:5", `value="wss://relay.example.org"`},
		{nil, `"><script>alert(1)</script>`, "", "192.0.2.1:5", `value="ws://&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"`},
		{[]string{"wss://relay.example.org", "ws://abc.onion"}, "10.1.2.3", "", "10.0.0.1:5", `value="wss://relay.example.org"`},
		{[]string{"wss://relay.example.org", "ws://abc.onion"}, "10.1.2.3", "", "10.0.0.1:5", `value="ws://abc.onion"`},
	} {
		cfg := DefaultConfig()
		page, err := renderLanding(newInformation(&cfg, &stage.Env{Policy: policy.Default()}), c.urls)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.Host, r.RemoteAddr = c.host, c.from
		r.Header.Set("X-Forwarded-Proto", c.proto)
		got := string(atAddress(page, r, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}))
		if !strings.Contains(got, c.want) || strings.Contains(got, hereMark) {
			t.Errorf("%+v: the page has not %s", c, c.want)
		}
	}
}

// Every NIP that the relay can have is explained.
func TestNIPTitles(t *testing.T) {
	c, p := DefaultConfig(), policy.Default()
	p.MinPoW = 1
	for _, nip := range supportedNIPs(&c, &p) {
		if nipTitle(nip) == "" {
			t.Errorf("NIP-%02d has no title", nip)
		}
	}
}

func TestPlainWords(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{plainSize(1000), "1,000 bytes"}, {plainSize(256 << 10), "256 KiB"}, {plainSize(3 << 20), "3 MiB"}, {plainSize(2000), "1 KiB"},
		{plainCount(7), "7"}, {plainCount(1234567), "1,234,567"},
		{plainSpan(86400), "one day"}, {plainSpan(7200), "2 hours"}, {plainSpan(900), "15 minutes"}, {plainSpan(61), "61 seconds"},
		{contactLink("mailto:a@b.org").Text, "a@b.org"}, {contactLink("https://b.org/x").URL, "https://b.org/x"},
		{contactLink("javascript:alert(1)").URL, ""}, {contactLink("%zz").Text, "%zz"}, {npub("nonsense"), ""},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
