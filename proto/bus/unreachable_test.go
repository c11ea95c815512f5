package bus

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// Who cannot connect says where to, but not as whom.
func TestDialKeepsSecrets(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // one attempt
	for servers, want := range map[string]string{
		"nats://joe:swordfish@127.0.0.1:1":                    "at nats://xxxxx@127.0.0.1:1: ",
		"nats://swordfish@127.0.0.1:1":                        "at nats://xxxxx@127.0.0.1:1: ", // a token
		"joe:swordfish@127.0.0.1:1":                           "at xxxxx@127.0.0.1:1: ",
		"nats://127.0.0.1:1,nats://joe:swordfish@127.0.0.1:1": "at nats://127.0.0.1:1,nats://xxxxx@127.0.0.1:1: ",
		"nats://joe:sword@fish@127.0.0.1:1":                   "at nats://xxxxx@127.0.0.1:1: ",
		"nats://joe:swordfish@127.0.0.1:port":                 "at nats://xxxxx@127.0.0.1:port: the URL is malformed",
		"nats://joe:swordfish#@127.0.0.1:1":                   "at nats://xxxxx@127.0.0.1:1: the URL is malformed",
		"nats://127.0.0.1:port":                               "invalid port",
		"nats://127.0.0.1:1":                                  "at nats://127.0.0.1:1: ",
	} {
		c := DefaultConfig()
		c.URL = servers
		_, err := Dial(ctx, c, 1, "test", quiet)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", servers, err, want)
			continue
		}
		for ; err != nil; err = errors.Unwrap(err) {
			if text := err.Error(); strings.Contains(text, "sword") || strings.Contains(text, "fish") {
				t.Errorf("it tells %s", text)
			}
		}
	}
}
