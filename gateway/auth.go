package gateway

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"

	"rhea/proto/frame"
	"rhea/proto/nostr"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
)

const (
	// maxKeys bounds the public keys that one connection authenticates. All of them
	// travel with all that it asks.
	maxKeys = 64
	// challengeSize is the length of a challenge in bytes, half of that in hex.
	challengeSize = 16
)

// challengeOf computes what a client has to sign (NIP-42): nobody without the secret
// of this run can, and nothing need be kept for connections that never answer.
func (c *core) challengeOf(cn *conn) string {
	mac := hmac.New(sha256.New, c.secret[:])
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(cn.id)))
	return hex.EncodeToString(mac.Sum(nil)[:challengeSize])
}

// challenge tells a client its challenge, once: it is valid for as long as the
// connection lives.
func (c *core) challenge(cn *conn) {
	if !cn.challenged {
		cn.challenged = true
		c.say(cn, frame.AppendAuth(c.scratch[:0], c.challengeOf(cn)))
	}
}

// prompt sees to it that a client that is to hear an answer which authentication
// may change has its challenge before.
func (c *core) prompt(cn *conn, text string) {
	if strings.HasPrefix(text, string(nostr.AuthRequired)+":") || strings.HasPrefix(text, string(nostr.Restricted)+":") {
		c.challenge(cn)
	}
}

// stranger says whether a client must authenticate before anything else.
func (c *core) stranger(cn *conn) bool {
	return c.policy.Auth == policy.AuthRequired && len(cn.keys()) == 0
}

// authenticate passes an AUTH on, like an EVENT. What its client says
// next waits for the answer, if it asks something: it may be meant for the key.
func (c *core) authenticate(cn *conn, body []byte) (num uint64) {
	c.challenge(cn) // a client that did not wait for it can only be wrong
	if body[0] != '{' {
		c.metrics.refusedMessages.Inc()
		c.sayOK(cn, "", false, nostr.Invalid.Text("AUTH: the second element must be an event"))
		return 0
	}
	c.metrics.auths.Inc()
	return c.expect(&event{conn: cn, body: body, auth: true})
}

// authenticated makes an OK of the answer to an AUTH.
func (c *core) authenticated(e *event, v *relaypb.Verdict) (accepted bool, text string) {
	switch {
	case v.Outcome != relaypb.Outcome_AUTHENTICATED:
		return false, v.Text
	case e.conn.gone:
	case len(v.Key) != len(nostr.PubKey{}):
		return false, nostr.Failed.Text("no key was found in it; try again")
	case slices.ContainsFunc(e.conn.keys(), func(k []byte) bool { return bytes.Equal(k, v.Key) }):
	case len(e.conn.keys()) >= maxKeys:
		return false, nostr.Restricted.Text("too many keys are authenticated on this connection")
	default:
		c.addKey(e.conn, bytes.Clone(v.Key))
	}
	return true, v.Text
}

// addKey gives a connection a key for all that it asks from now on. Its live
// subscriptions go on under it from where they are; the stored part of a
// subscription ends with the keys that it began with.
func (c *core) addKey(cn *conn, key []byte) {
	c.metrics.authenticated.Inc()
	var live []*sub
	for _, s := range cn.subs {
		if s.query == nil {
			live = append(live, s)
			c.pass(s)
			c.unwatch(s)
		}
	}
	cn.rarely().keys = append(cn.keys(), key)
	for _, s := range live {
		c.rewatch(s)
	}
}

// allKeys returns the keys that a connection has now, in a list that stays as it is.
func (cn *conn) allKeys() [][]byte { return slices.Clip(cn.keys()) }
