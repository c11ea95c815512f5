package record

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/rhea/tap"
	"rhea/rhea/tap/decode"
)

// What can be redacted.
const (
	// Auth: the event and the challenge of every AUTH are emptied, and each key that a
	// connection has authenticated is another one, the same throughout the recording.
	Auth = "auth"
	// Addresses: the names of machines, the address that a client has connected to, and
	// its own, which is on the bus when the policy has a plugin.
	Addresses = "addresses"
)

// CheckRedact refuses what is neither Auth nor Addresses.
func CheckRedact(what []string) error {
	for _, w := range what {
		if w != Auth && w != Addresses {
			return fmt.Errorf("nothing is known of redacting %q: want %s or %s", w, Auth, Addresses)
		}
	}
	return nil
}

// redacted is the JSON that stands for an event that has been taken out.
const redacted = `{"redacted":true}`

// redactor takes secrets out of messages. It belongs to one goroutine.
type redactor struct {
	prefix          string
	auth, addresses bool
	secret          []byte // makes pseudonyms of keys; dies with the recording
}

func newRedactor(prefix string, what []string, secret []byte) *redactor {
	return &redactor{prefix, slices.Contains(what, Auth), slices.Contains(what, Addresses), secret}
}

// apply edits m. Messages that cannot hold secrets are left as they are, byte for
// byte; of one that does not decode the data go, since who knows what is in them.
func (r *redactor) apply(m *tap.Message) {
	inbox, _ := decode.Inbox(r.prefix, m.Subject)
	switch {
	case !r.auth && !r.addresses:
		return
	case slices.Contains([]string{"write", "log", "log.fetch", "hello", "reply"}, inbox):
		return
	}
	s := decode.Message(r.prefix, m.Subject, m.Data)
	if s.Err != nil {
		m.Data = bus.Join(s.Sent)
		return
	}
	var bodies [][]byte
	for _, said := range s.Messages {
		r.edit(decode.Body(said))
		body, err := proto.Marshal(said)
		if err != nil { // it was read a moment ago; without it the rest is still true
			continue
		}
		bodies = append(bodies, body)
	}
	m.Data = bus.Join(s.Sent, bodies...)
}

func (r *redactor) edit(m proto.Message) {
	switch m := m.(type) {
	case *relaypb.AuthFrame:
		if r.auth {
			m.Event, m.Challenge = []byte(redacted), "redacted"
		}
		if r.auth || r.addresses {
			m.Host = "redacted"
		}
	case *relaypb.EventFrame:
		if r.addresses {
			m.Source = ""
		}
	case *relaypb.Query:
		if r.addresses {
			m.Source = ""
		}
	case *relaypb.NegOpen:
		if r.addresses {
			m.Source = ""
		}
	case *relaypb.Member:
		if r.addresses {
			m.Host, m.Pid = "", 0
		}
	}
	if r.auth {
		r.pseudonyms(m.ProtoReflect())
	}
}

// pseudonyms replaces the keys of connections, which stand in fields of these names
// in every message that has any.
func (r *redactor) pseudonyms(m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	if f := fields.ByName("key"); f != nil && f.Kind() == protoreflect.BytesKind && m.Has(f) {
		m.Set(f, protoreflect.ValueOfBytes(r.pseudonym(m.Get(f).Bytes())))
	}
	if f := fields.ByName("keys"); f != nil && f.Kind() == protoreflect.BytesKind && f.IsList() {
		list := m.Get(f).List()
		for i := range list.Len() {
			list.Set(i, protoreflect.ValueOfBytes(r.pseudonym(list.Get(i).Bytes())))
		}
	}
}

func (r *redactor) pseudonym(key []byte) []byte {
	h := hmac.New(sha256.New, r.secret)
	h.Write(key)
	return h.Sum(nil)
}
