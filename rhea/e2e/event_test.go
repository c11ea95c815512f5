package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/bits"
	"regexp"
	"strconv"
	"strings"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/schnorr"
)

// secret is a key of this file: the same in every run, and nobody else's.
func (s *stage) secret(name string) [32]byte {
	return sha256.Sum256([]byte(s.script.path + " " + name))
}

func (s *stage) key(name string) nostr.PubKey {
	if k, ok := s.keys[name]; ok {
		return k
	}
	secret := s.secret(name)
	k, err := schnorr.PublicKey(&secret)
	if err != nil {
		s.t.Fatal(err)
	}
	s.keys[name] = k
	return k
}

var eventField = regexp.MustCompile(`^ *([a-z]+)=`)

// defineEvent reads NAME and the event's fields, in any order:
//
//	key=NAME       who signs; "me" if absent
//	kind=N         1 if absent
//	at=N           created_at; +N and -N are relative to $now; 0 seconds ago if absent
//	tags=JSON      content=JSON
//	pow=N          makes an id with exactly N leading zero bits by a nonce tag …
//	commit=N       … which names this target; none if absent
//	below=EVENT    makes an id that is lower (or above=EVENT higher) by a salt tag
//	sig=HEX id=HEX in place of the right ones, spoilt
func (s *stage) defineEvent(text string) error {
	name, rest, _ := strings.Cut(text, " ")
	if name == "now" || name == "url" || name == "host" {
		return fmt.Errorf("%s is taken", name)
	}
	fields := map[string]string{"key": "me", "kind": "1", "at": "+0", "tags": "[]", "content": `""`}
	for strings.TrimSpace(rest) != "" {
		m := eventField.FindStringSubmatch(rest)
		if m == nil {
			return fmt.Errorf("cannot read %q", rest)
		}
		rest = rest[len(m[0]):]
		var value string
		if strings.HasPrefix(rest, "[") || strings.HasPrefix(rest, `"`) {
			filled, err := s.fill(rest)
			if err != nil {
				return err
			}
			var raw json.RawMessage
			d := json.NewDecoder(strings.NewReader(filled))
			if err := d.Decode(&raw); err != nil {
				return err
			}
			value, rest = string(raw), filled[d.InputOffset():]
		} else {
			value, rest, _ = strings.Cut(rest, " ")
		}
		fields[m[1]] = value
	}
	e := &nostr.Event{}
	kind, err := strconv.ParseUint(fields["kind"], 10, 16)
	if err != nil {
		return err
	}
	e.Kind = nostr.Kind(kind)
	if e.CreatedAt, err = strconv.ParseInt(fields["at"], 10, 64); err != nil {
		return err
	}
	if strings.ContainsAny(fields["at"][:1], "+-") {
		e.CreatedAt += s.now
	}
	if err := json.Unmarshal([]byte(fields["tags"]), &e.Tags); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(fields["content"]), &e.Content); err != nil {
		return err
	}
	if err := s.mine(e, fields); err != nil {
		return err
	}
	if err := nostrtest.Sign(e, s.secret(fields["key"])); err != nil {
		return err
	}
	s.events[name] = e
	return spoil(e, fields)
}

// mine looks for an id of the form that is asked for.
func (s *stage) mine(e *nostr.Event, fields map[string]string) error {
	good, tag := func(nostr.EventID) bool { return true }, nostr.Tag(nil)
	if text, ok := fields["pow"]; ok {
		want, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		good = func(id nostr.EventID) bool { return zeroBits(id) == want }
		if tag = (nostr.Tag{"nonce", ""}); fields["commit"] != "" {
			tag = append(tag, fields["commit"])
		}
	}
	for word, sign := range map[string]int{"below": -1, "above": 1} {
		if other, ok := fields[word]; ok {
			if s.events[other] == nil {
				return fmt.Errorf("no event is called %s", other)
			}
			good = func(id nostr.EventID) bool { return bytes.Compare(id[:], s.events[other].ID[:]) == sign }
			tag = nostr.Tag{"salt", ""}
		}
	}
	e.PubKey = s.key(fields["key"])
	if tag == nil {
		return nil
	}
	e.Tags = append(e.Tags, tag)
	for n := range 1 << 24 {
		tag[1] = strconv.Itoa(n)
		if good(e.ComputeID()) {
			return nil
		}
	}
	return fmt.Errorf("no id like that")
}

func zeroBits(id nostr.EventID) (n int) {
	for _, b := range id {
		n += bits.LeadingZeros8(b)
		if b != 0 {
			break
		}
	}
	return n
}

// spoil makes e what its author did not sign.
func spoil(e *nostr.Event, fields map[string]string) error {
	if text, ok := fields["sig"]; ok {
		if _, err := hex.Decode(e.Sig[:], []byte(text)); err != nil {
			return err
		}
	}
	if text, ok := fields["id"]; ok {
		if _, err := hex.Decode(e.ID[:], []byte(text)); err != nil {
			return err
		}
	}
	return nil
}
