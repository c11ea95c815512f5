package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/gobwas/ws"

	"rhea/proto/limits"
	"rhea/proto/policy"
	"rhea/proto/stage"
)

// TestHTTP runs the transcripts in testdata/http: a request's first line and
// headers, and what comes back.
func TestHTTP(t *testing.T) {
	w := newWorld(t)
	address, _, _ := w.startGateway(func(c *Config, l *limits.Limits) {
		c.Relay = Relay{Name: "<test>", Description: "for tests", Contact: "mailto:ops@example.org",
			Pubkey: strings.Repeat("ab", 32), Icon: "https://example.org/icon.png", Banner: "https://example.org/banner.png",
			Self: strings.Repeat("cd", 32), TermsOfService: "https://example.org/terms", Software: "https://example.org/rhea"}
		l.CreatedAtUpperLimit = 900
	})
	datadriven.Walk(t, "testdata/http", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			nc, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			_ = nc.SetDeadline(deadline())
			fmt.Fprintf(nc, "%s\r\nHost: relay\r\nConnection: close\r\n\r\n", strings.ReplaceAll(strings.TrimSpace(d.Input), "\n", "\r\n"))
			answer, err := io.ReadAll(nc)
			if err != nil {
				return "cut"
			}
			head, body, _ := strings.Cut(string(answer), "\r\n\r\n")
			var out strings.Builder
			for line := range strings.Lines(head + "\r\n") {
				if !strings.HasPrefix(line, "Date: ") && !strings.HasPrefix(line, "Content-Length: ") {
					out.WriteString(strings.TrimRight(line, "\r\n") + "\n")
				}
			}
			if d.Cmd == "head" {
				return out.String()
			}
			return out.String() + "\n" + body
		})
	})
}

// TestInformationIsTheEnforced checks the document against the limits, field by
// field, when they are not the defaults.
func TestInformationIsTheEnforced(t *testing.T) {
	l := limits.Limits{MaxMessageLength: 1, MaxSubscriptions: 2, MaxLimit: 3, DefaultLimit: 4, MaxSubIDLength: 5,
		MaxEventTags: 6, MaxContentLength: 7, CreatedAtLowerLimit: 8, CreatedAtUpperLimit: 9}
	c := DefaultConfig()
	b, err := newInformation(&c, &stage.Env{Limits: l, Policy: policy.Policy{MinPoW: 10, Auth: policy.AuthRequired}}).json()
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Limitation map[string]any }
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]float64{"max_message_length": 1, "max_subscriptions": 2, "max_limit": 3, "default_limit": 4,
		"max_subid_length": 5, "max_event_tags": 6, "max_content_length": 7, "min_pow_difficulty": 10, "created_at_lower_limit": 8, "created_at_upper_limit": 9} {
		if got.Limitation[key] != want {
			t.Errorf("%s is %v, want %v", key, got.Limitation[key], want)
		}
	}
	for key, want := range map[string]bool{"auth_required": true, "restricted_writes": true, "payment_required": false} {
		if got.Limitation[key] != want {
			t.Errorf("%s is %v, want %v", key, got.Limitation[key], want)
		}
	}
}

// TestSupportedNIPs checks the list against what the configuration leaves in force.
func TestSupportedNIPs(t *testing.T) {
	for _, c := range []struct {
		change func(*Config, *policy.Policy)
		want   string
	}{
		{func(*Config, *policy.Policy) {}, "[1 4 9 11 17 40 42 45 59 62 65 67 70 77]"},
		{func(_ *Config, p *policy.Policy) { p.MinPoW = 1 }, "[1 4 9 11 13 17 40 42 45 59 62 65 67 70 77]"},
		{func(_ *Config, p *policy.Policy) { p.KindPoW = policy.Difficulties{1: 8} }, "[1 4 9 11 13 17 40 42 45 59 62 65 67 70 77]"},
		{func(_ *Config, p *policy.Policy) { p.KindPoW = policy.Difficulties{1: 0} }, "[1 4 9 11 17 40 42 45 59 62 65 67 70 77]"},
		{func(_ *Config, p *policy.Policy) { p.PrivateKinds = policy.Kinds{1059} }, "[1 9 11 17 40 42 45 59 62 65 67 70 77]"},
		{func(_ *Config, p *policy.Policy) { p.PrivateKinds = nil }, "[1 9 11 40 42 45 62 65 67 70 77]"},
		{func(c *Config, _ *policy.Policy) { c.MaxNegotiations = 0 }, "[1 4 9 11 17 40 42 45 59 62 65 67 70]"},
	} {
		cfg, p := DefaultConfig(), policy.Default()
		c.change(&cfg, &p)
		if got := fmt.Sprint(supportedNIPs(&cfg, &p)); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

// TestLanding looks for what the page says of a relay that is not open.
func TestLanding(t *testing.T) {
	c := DefaultConfig()
	c.Relay.TermsOfService, c.Relay.Banner = "https://example.org/terms", "javascript:alert(1)"
	page, err := renderLanding(newInformation(&c, &stage.Env{Policy: policy.Policy{MinPoW: 21, Auth: policy.AuthRequired}}), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`href="https://example.org/terms"`, "21 bits of proof of work", "Only who has signed in"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(string(page), "javascript") {
		t.Error("a URL that runs is on the page")
	}
}

func TestAcceptsInformation(t *testing.T) {
	for accept, want := range map[string]bool{
		"application/nostr+json":                          true,
		"text/html, application/nostr+json;q=0.5":         true,
		"APPLICATION/Nostr+JSON ; charset=utf-8 ; Q=0.1 ": true,
		"application/nostr+json;q=0":                      false,
		"application/nostr+json;q=0.000":                  false,
		"application/nostr+json;q=x":                      true,
		"application/nostr+json+rpc":                      false,
		"*/*":                                             false,
		"text/html":                                       false,
		"":                                                false,
		",;,=;":                                           false,
	} {
		if got := acceptsInformation([]string{"text/plain", accept}); got != want {
			t.Errorf("%q: %v, want %v", accept, got, want)
		}
	}
}

// FuzzAccept checks that no header breaks the parser, and that a header that does
// not name the type is never taken to ask for it.
func FuzzAccept(f *testing.F) {
	f.Add("text/html, application/nostr+json;q=0.5")
	f.Add(",;q=,")
	f.Fuzz(func(t *testing.T, accept string) {
		if acceptsInformation([]string{accept}) && !strings.Contains(strings.ToLower(accept), informationType) {
			t.Errorf("%q", accept)
		}
	})
}

func TestClientAddress(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:5", nil, "192.0.2.1"},
		{"192.0.2.1:5", []string{"198.51.100.7"}, "192.0.2.1"},
		{"10.1.1.1:5", nil, "10.1.1.1"},
		{"10.1.1.1:5", []string{"198.51.100.7"}, "198.51.100.7"},
		{"10.1.1.1:5", []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.7"},
		{"10.1.1.1:5", []string{"203.0.113.9", "198.51.100.7, 10.2.2.2"}, "198.51.100.7"},
		{"10.1.1.1:5", []string{"nonsense, 10.2.2.2"}, "10.2.2.2"},
		{"10.1.1.1:5", []string{"10.3.3.3"}, "10.3.3.3"},
		{"10.1.1.1:5", []string{"198.51.100.7:1234"}, "198.51.100.7"},
		{"10.1.1.1:5", []string{"[2001:db8::1]:1234"}, "2001:db8::1"},
		{"10.1.1.1:5", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"[fd00::1]:5", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		{"[::ffff:10.1.1.1]:5", []string{"198.51.100.7"}, "198.51.100.7"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.peer
		r.Header["X-Forwarded-For"] = c.forwarded
		if got := clientAddress(r, proxies).String(); got != c.want {
			t.Errorf("%s %q: %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}

func TestDoor(t *testing.T) {
	d := newDoor(3, 2)
	a, b := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2") // one household
	c, e := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for i, step := range []struct {
		from netip.Addr
		want doorAnswer
	}{{a, doorOpen}, {b, doorOpen}, {a, doorCrowded}, {c, doorOpen}, {e, doorFull}} {
		if got := d.enter(householdOf(step.from)); got != step.want {
			t.Errorf("step %d: %d, want %d", i, got, step.want)
		}
	}
	for _, from := range []netip.Addr{a, b, c} {
		d.leave(householdOf(from))
	}
	if d.all != 0 || len(d.byFrom) != 0 {
		t.Errorf("after all have left: %d, %v", d.all, d.byFrom)
	}
}

func TestRefusedConnections(t *testing.T) {
	w := newWorld(t)
	address, m, _ := w.startGateway(func(c *Config, _ *limits.Limits) { c.MaxConnections, c.MaxPerAddress = 3, 2 })
	refused := func(want int) {
		t.Helper()
		_, _, _, err := ws.Dial(t.Context(), "ws://"+address+"/")
		if status, ok := err.(ws.StatusError); !ok || int(status) != want {
			t.Errorf("got %v, want status %d", err, want)
		}
	}
	first := dial(t, address)
	dial(t, address)
	refused(http.StatusTooManyRequests)
	first.nc.Close()
	waitFor(t, m, "conns", 1)
	again := dial(t, address)
	again.say(`["NEG-MSG","x","61"]`)
	again.hear()
}
