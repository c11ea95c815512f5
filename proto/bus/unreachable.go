package bus

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// unreachable says that none of the servers, comma separated, lets one in, and
// why, without the users, passwords and tokens that their URLs hold.
func unreachable(servers string, why error) error {
	if _, ok := errors.AsType[*url.Error](why); ok && strings.Contains(servers, "@") {
		why = errors.New("the URL is malformed") // the error quotes it, with the password
	}
	return fmt.Errorf("bus: no NATS server at %s: %w", redacted(servers), why)
}

// redacted takes any text: url.URL.Redacted would need one that parses, and would
// show a token, which NATS writes where the user stands.
func redacted(servers string) string {
	list := strings.Split(servers, ",")
	for i, server := range list {
		begin := 0
		if scheme := strings.Index(server, "://"); scheme >= 0 {
			begin = scheme + len("://")
		}
		if at := strings.LastIndexByte(server, '@'); at >= begin {
			list[i] = server[:begin] + "xxxxx" + server[at:]
		}
	}
	return strings.Join(list, ",")
}
