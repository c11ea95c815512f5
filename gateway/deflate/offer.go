package deflate

import "strings"

// The extension and its parameters (RFC 7692, 7.1).
const (
	extension        = "permessage-deflate"
	serverNoTakeover = "server_no_context_takeover"
	clientNoTakeover = "client_no_context_takeover"
	serverMaxWindow  = "server_max_window_bits"
	clientMaxWindow  = "client_max_window_bits"
)

// Accept returns the value of the header Sec-WebSocket-Extensions that answers a
// client's headers of that name, and false when none of their offers is accepted,
// which leaves the connection uncompressed. The first acceptable offer counts, as
// clients put first what they prefer. A header that is not well formed offers
// nothing.
//
// Both sides are told to take no context over. A server may say so unasked (7.1.1),
// and the clients in use honour it. What they inflate with has to have the full
// window of 32 KiB: an offer that asks for a smaller one is declined, because what
// is compressed for all does not heed the window of one.
func Accept(headers []string) (answer string, accepted bool) {
	offers, ok := parseOffers(headers)
	if !ok {
		return "", false
	}
	for _, o := range offers {
		if window, ok := o.acceptable(); ok {
			answer = extension + "; " + serverNoTakeover + "; " + clientNoTakeover
			if window {
				answer += "; " + serverMaxWindow + "=15"
			}
			return answer, true
		}
	}
	return "", false
}

// acceptable says whether an offer can be accepted, and whether it names the
// server's window, which the answer has to name then.
func (o offer) acceptable() (window, ok bool) {
	if o.name != extension {
		return false, false
	}
	seen := make(map[string]bool, len(o.params))
	for _, p := range o.params {
		if seen[p.key] {
			return false, false
		}
		seen[p.key] = true
		switch p.key {
		case serverNoTakeover, clientNoTakeover:
			if p.has {
				return false, false
			}
		case serverMaxWindow:
			if p.value != "15" {
				return false, false
			}
		case clientMaxWindow:
			if p.has && !isWindow(p.value) {
				return false, false
			}
		default:
			return false, false
		}
	}
	return seen[serverMaxWindow], true
}

// isWindow says whether a value is a number of window bits: 8 to 15, without
// leading zeros.
func isWindow(v string) bool {
	return len(v) == 1 && v >= "8" && v <= "9" || len(v) == 2 && v >= "10" && v <= "15"
}

// offer is one element of a header Sec-WebSocket-Extensions (RFC 6455, 9.1).
type offer struct {
	name   string
	params []param
}

type param struct {
	key, value string
	has        bool // a value
}

// parseOffers reads the headers as the one list that they are, false when any of
// them is malformed.
func parseOffers(headers []string) (offers []offer, ok bool) {
	for _, h := range headers {
		s := scanner{rest: h}
		for {
			s.space()
			if s.rest == "" {
				break
			}
			if s.take(',') { // a list may have empty elements (RFC 9110, 5.6.1)
				continue
			}
			o, ok := s.offer()
			if !ok || s.rest != "" && s.rest[0] != ',' {
				return nil, false
			}
			offers = append(offers, o)
		}
	}
	return offers, true
}

// scanner reads a header from its beginning.
type scanner struct{ rest string }

// offer reads a name and parameters, and the space behind them.
func (s *scanner) offer() (o offer, ok bool) {
	if o.name = s.token(); o.name == "" {
		return o, false
	}
	for {
		s.space()
		if !s.take(';') {
			return o, true
		}
		s.space()
		p := param{key: s.token()}
		if p.key == "" {
			return o, false
		}
		s.space()
		if s.take('=') {
			s.space()
			p.has = true
			if p.value = s.value(); p.value == "" {
				return o, false
			}
		}
		o.params = append(o.params, p)
	}
}

// value reads a token, or one in quotes, "" if there is none.
func (s *scanner) value() string {
	if !s.take('"') {
		return s.token()
	}
	v := s.token() // a quoted value has to be a token as well (RFC 6455, 9.1)
	if !s.take('"') {
		return ""
	}
	return v
}

func (s *scanner) token() string {
	n := 0
	for n < len(s.rest) && isTokenByte(s.rest[n]) {
		n++
	}
	t := s.rest[:n]
	s.rest = s.rest[n:]
	return t
}

func (s *scanner) space() { s.rest = strings.TrimLeft(s.rest, " \t") }

func (s *scanner) take(b byte) bool {
	if s.rest == "" || s.rest[0] != b {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// isTokenByte says what a token consists of (RFC 9110, 5.6.2).
func isTokenByte(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0
}
