package policy

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// address is where a relay is, as far as two ways to write it can be compared:
// host and port, in lower case. Scheme and path are left out, because proxies
// change the one and relays serve one endpoint (NIP-42: matching the domain is
// enough).
type address string

// parseURL reads the URL of a relay.
func parseURL(text string) (address, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("%q is no relay's URL: want one such as wss://relay.example.org", text)
	}
	switch strings.ToLower(u.Scheme) {
	case "ws", "wss", "http", "https":
		return addressOf(u.Host), nil
	}
	return "", fmt.Errorf("%q: want the scheme wss or ws", text)
}

// addressOf normalises host:port: the ports of the two schemes count as none.
func addressOf(hostport string) address {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		host, port = hostport, ""
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if port == "80" || port == "443" {
		port = ""
	}
	return address(net.JoinHostPort(host, port))
}

// AllRelays in a relay tag means every relay (NIP-62).
const AllRelays = "ALL_RELAYS"

// NamesRelay reports whether text is one of the relay's URLs.
func (p *Policy) NamesRelay(text string) bool {
	at, err := parseURL(text)
	if err != nil {
		return false
	}
	for _, u := range p.URLs {
		if own, err := parseURL(u); err == nil && own == at {
			return true
		}
	}
	return false
}

// NamesHost reports whether the relay tag of an AUTH is for this relay: one of its
// URLs, or, when it is configured with none, the Host that the client connected to.
func (p *Policy) NamesHost(text, host string) bool {
	if len(p.URLs) > 0 {
		return p.NamesRelay(text)
	}
	at, err := parseURL(text)
	return err == nil && host != "" && at == addressOf(host)
}
