package bus

import (
	"testing"
	"time"
)

func TestPings(t *testing.T) {
	for url, want := range map[string]time.Duration{
		"nats://127.0.0.1:4222":                     pingLocalEvery,
		"nats://rhea:s@cret@127.0.0.1:4222":         pingLocalEvery,
		"127.0.0.1":                                 pingLocalEvery,
		"tls://[::1]:4222, nats://127.0.0.2":        pingLocalEvery,
		"nats://127.0.0.1:4222,nats://10.0.0.2":     pingEvery,
		"nats://nats:4222":                          pingEvery,
		"nats://127.0.0.1@nats.example.org:4222":    pingEvery,
		"nats://localhost:4222":                     pingEvery, // a name can be anybody's
		"nats://[2001:db8::1]:4222,nats://10.0.0.2": pingEvery,
	} {
		if got := pingsOf(url); got != want {
			t.Errorf("%s is sent a ping every %s, want %s", url, got, want)
		}
	}
}
