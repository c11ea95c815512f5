package policy

import (
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// AllRelays in a relay tag means every relay (NIP-62).
const AllRelays = "ALL_RELAYS"

// maxURL bounds the relay tags that are read at all, in bytes.
const maxURL = 2048

// address is host and port in lower case. The scheme is left out, because proxies
// change it, and with it the ports that belong to the schemes.
type address string

// endpoint is where a relay is, as far as two ways to write it can be compared.
type endpoint struct {
	at   address
	path string // without slashes at its end
}

// Names is what the relay is called: Policy.URLs, read once. It is safe for
// concurrent use. The zero value is that of a relay without URLs.
type Names struct {
	endpoints []endpoint
}

// Names returns what the relay is called. URLs that Validate refuses are no names.
func (p *Policy) Names() Names {
	var n Names
	for _, text := range p.URLs {
		if e, err := parseEndpoint(text); err == nil {
			n.endpoints = append(n.endpoints, e)
		}
	}
	return n
}

// Relay reports whether text is one of the relay's URLs, as a request to vanish
// names it (NIP-62). The path counts: another relay may be served under another
// path of the same host, and what is removed does not come back.
func (n Names) Relay(text string) bool {
	e, err := parseEndpoint(text)
	return err == nil && slices.Contains(n.endpoints, e)
}

// Host reports whether the relay tag of an AUTH is for this relay (NIP-42): text
// has the host and port of one of its URLs, or, when it has none, of the Host
// that the client connected to. The path does not count; the NIP is content with
// the domain.
func (n Names) Host(text, host string) bool {
	e, err := parseEndpoint(text)
	if err != nil {
		return false
	}
	if len(n.endpoints) == 0 {
		return e.at == addressOf(host)
	}
	return slices.ContainsFunc(n.endpoints, func(own endpoint) bool { return own.at == e.at })
}

// What is wrong with a URL.
var (
	errURL    = errors.New("want a relay's URL, such as wss://relay.example.org")
	errParts  = errors.New("want scheme, host and path, and nothing else")
	errLetter = errors.New("write the host in ASCII (xn--…), as clients send it")
)

// validateURL is stricter with an operator than Names is with clients: it refuses
// what no client's tag could equal.
func validateURL(text string) error {
	if _, err := parseEndpoint(text); err != nil {
		return err
	}
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil:
		return errURL
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errParts
	case strings.ContainsFunc(u.Host, func(r rune) bool { return r > unicode.MaxASCII }):
		return errLetter
	}
	return nil
}

// parseEndpoint reads the URL of a relay.
func parseEndpoint(text string) (endpoint, error) {
	if len(text) > maxURL {
		return endpoint{}, errURL
	}
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Hostname() == "" {
		return endpoint{}, errURL
	}
	switch u.Scheme { // Parse has made it lower case
	case "ws", "wss", "http", "https":
		return endpoint{at: addressOf(u.Host), path: strings.TrimRight(u.Path, "/")}, nil
	}
	return endpoint{}, errURL
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
