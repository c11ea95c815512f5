package gateway

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"time"

	"rhea/gateway/deflate"
	"rhea/proto/nostr"
	"rhea/proto/stage"
)

// Config is section [gateway].
type Config struct {
	Listen    string `toml:"listen" help:"address for clients, host:port"`
	ReusePort bool   `toml:"reuse_port" help:"share the address with other gateways that say so too; the system spreads new connections"`

	MaxConnections   int            `toml:"max_connections" help:"connections in all; more are refused with HTTP 503" live:"true"`
	MaxPerAddress    int            `toml:"max_per_address" help:"connections from one IPv4 address or IPv6 /64; more are refused with HTTP 429" live:"true"`
	TrustedProxies   []string       `toml:"trusted_proxies" help:"networks (CIDR) whose X-Forwarded-For names the client" live:"true"`
	MaxNegotiations  int            `toml:"max_negotiations" help:"open negentropy sessions of one connection" live:"true"`
	MaxSubscribeSize stage.ByteSize `toml:"max_subscribe_size" help:"bytes of filters in all subscriptions and COUNTs of one connection" live:"true"`
	MaxOutbound      stage.ByteSize `toml:"max_outbound" help:"bytes that wait for one client; one that lets more gather is disconnected" live:"true"`
	Deflate          deflate.Mode   `toml:"deflate" help:"what is compressed for clients that take it (permessage-deflate): off, nothing; shared, an event that is sent more than once, once for all; message, every message by itself, which saves the most bytes and takes the most time" live:"true"`
	DeflateCache     stage.ByteSize `toml:"deflate_cache" help:"bytes of events that are kept compressed, with deflate shared" live:"true"`

	PingInterval time.Duration `toml:"ping_interval" help:"a client that was silent for so long is sent a ping" live:"true"`
	PingTimeout  time.Duration `toml:"ping_timeout" help:"how long it may take to say anything after that" live:"true"`
	WriteTimeout time.Duration `toml:"write_timeout" help:"how long a client may take nothing of what waits for it" live:"true"`
	EventTimeout time.Duration `toml:"event_timeout" help:"how long an EVENT or AUTH may stay unanswered before it is refused with error:" live:"true"`
	QueryTimeout time.Duration `toml:"query_timeout" help:"how long a REQ, COUNT or NEG may make no progress before it is closed with error:" live:"true"`
	DrainTimeout time.Duration `toml:"drain_timeout" help:"how long a stop waits for what is unanswered" live:"true"`
	LeaveOver    time.Duration `toml:"leave_over" help:"over how long a gateway that stops while others stay sends its clients away, one after the other" live:"true"`

	// Relay is section [relay], which the gateway only shows.
	Relay Relay `toml:"-"`
	// Goroutines has each connection waited for by a goroutine of its own, as where
	// the kernel cannot be asked about all of them at once.
	Goroutines bool `toml:"-"`
	// Ready, when set, is called once with the address that is listened on.
	Ready func(net.Addr) `toml:"-"`
}

// Relay is section [relay]: what the relay says of itself (NIP-11).
type Relay struct {
	Name           string `toml:"name" help:"name of the relay, under 30 characters" live:"true"`
	Description    string `toml:"description" help:"what the relay is for, plain text" live:"true"`
	Pubkey         string `toml:"pubkey" help:"public key of the operator, 64 hex digits" live:"true"`
	Contact        string `toml:"contact" help:"how to reach the operator, a URI such as mailto:ops@example.org" live:"true"`
	Icon           string `toml:"icon" help:"URL of a small square picture" live:"true"`
	Banner         string `toml:"banner" help:"URL of a wide picture" live:"true"`
	Self           string `toml:"self" help:"public key of the relay itself, 64 hex digits" live:"true"`
	TermsOfService string `toml:"terms_of_service" help:"URL of the terms of service" live:"true"`
	Software       string `toml:"software" help:"URL of the software's home" live:"true"`
}

// DefaultConfig is a relay for clients on this machine. Its numbers fit in a
// process that may open 20,000 files.
func DefaultConfig() Config {
	return Config{
		Listen:           "127.0.0.1:7777",
		MaxConnections:   18_000,
		MaxPerAddress:    100,
		MaxNegotiations:  16,
		MaxSubscribeSize: 1 << 20,
		MaxOutbound:      4 << 20,
		Deflate:          deflate.Shared,
		DeflateCache:     8 << 20,
		PingInterval:     30 * time.Second,
		PingTimeout:      20 * time.Second,
		WriteTimeout:     30 * time.Second,
		EventTimeout:     10 * time.Second,
		QueryTimeout:     15 * time.Second,
		DrainTimeout:     3 * time.Second,
		LeaveOver:        10 * time.Second,
		Relay:            DefaultRelay(),
	}
}

// DefaultRelay names the software and nobody.
func DefaultRelay() Relay {
	return Relay{Name: "rhea", Description: "A Nostr relay."}
}

// minOutbound leaves room for the longest frame beside a connection's budget of
// query bytes.
const minOutbound = 2 << 20

// Validate reports the first setting that cannot work.
func (c *Config) Validate() error {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("listen is %q: want host:port", c.Listen)
	}
	for _, n := range []struct {
		key              string
		value, low, high int64
	}{
		{"max_connections", int64(c.MaxConnections), 1, 1 << 24},
		{"max_per_address", int64(c.MaxPerAddress), 1, 1 << 24},
		{"max_negotiations", int64(c.MaxNegotiations), 0, 1000},
		{"max_subscribe_size", int64(c.MaxSubscribeSize), 1 << 10, 1 << 30},
		{"max_outbound", int64(c.MaxOutbound), minOutbound, 1 << 30},
		{"deflate_cache", int64(c.DeflateCache), 256 << 10, 1 << 30},
	} {
		if n.value < n.low || n.value > n.high {
			return fmt.Errorf("%s is %d: want %d to %d", n.key, n.value, n.low, n.high)
		}
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"ping_interval", c.PingInterval}, {"ping_timeout", c.PingTimeout}, {"write_timeout", c.WriteTimeout},
		{"event_timeout", c.EventTimeout}, {"query_timeout", c.QueryTimeout}, {"drain_timeout", c.DrainTimeout},
	} {
		if d.value < time.Second || d.value > time.Hour {
			return fmt.Errorf("%s is %s: want 1s to 1h", d.key, d.value)
		}
	}
	if c.LeaveOver < 0 || c.LeaveOver > time.Hour {
		return fmt.Errorf("leave_over is %s: want 0s to 1h", c.LeaveOver)
	}
	_, err := c.proxies()
	return err
}

// StopTime is what a stop may take beside [stage] drain: the longest that clients
// are sent away for when another gateway takes them.
func (c Config) StopTime() time.Duration { return lastCall + c.LeaveOver + c.DrainTimeout }

func (c *Config) proxies() ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, text := range c.TrustedProxies {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("trusted_proxies: %q is no network: want one such as 10.0.0.0/8", text)
		}
		list = append(list, p.Masked())
	}
	return list, nil
}

type setting struct{ key, value string }

// Validate reports the first thing that NIP-11 does not allow.
func (r *Relay) Validate() error {
	for _, k := range []setting{{"pubkey", r.Pubkey}, {"self", r.Self}} {
		if _, err := nostr.ParsePubKey(k.value); k.value != "" && err != nil {
			return fmt.Errorf("%s: %w", k.key, err)
		}
	}
	for _, u := range []setting{{"software", r.Software}, {"icon", r.Icon}, {"banner", r.Banner}, {"terms_of_service", r.TermsOfService}} {
		if p, err := url.Parse(u.value); u.value != "" && (err != nil || p.Scheme == "" || p.Host == "") {
			return fmt.Errorf("%s is %q: want a URL", u.key, u.value)
		}
	}
	return nil
}
