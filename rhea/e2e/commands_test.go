package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"rhea/proto/nostr"
)

var sendLine = regexp.MustCompile(`^([a-z]+)> ?(.*)$`)

// command carries out one line of a script. What it returns is the answer of an
// HTTP request; frames wait at the connections.
func (s *stage) command(line string) ([]string, error) {
	if m := sendLine.FindStringSubmatch(line); m != nil {
		text, err := s.fill(m[2])
		if err != nil {
			return nil, err
		}
		if m[1] == "http" {
			return s.http(text)
		}
		if s.conns[m[1]] == nil {
			return nil, fmt.Errorf("%s is not open", m[1])
		}
		return nil, s.conns[m[1]].send(text)
	}
	word, rest, _ := strings.Cut(line, " ")
	args := strings.Fields(rest)
	switch word {
	case "relay":
		return nil, nil
	case "open", "connect":
		for _, name := range args {
			if err := s.open(name, word == "open"); err != nil {
				return nil, err
			}
		}
		return nil, nil
	case "drop":
		for _, name := range args {
			s.conns[name].close()
			delete(s.conns, name)
		}
		return nil, nil
	case "event":
		return nil, s.defineEvent(rest)
	case "publish":
		for _, name := range args[1:] {
			if err := s.demand(args[0], "EVENT", name); err != nil {
				return nil, err
			}
		}
		return nil, nil
	case "auth":
		for _, key := range args[1:] {
			name := "auth" + args[0] + key
			tags := `tags=[["relay","$url"],["challenge","$` + args[0] + `.challenge"]]`
			if err := s.defineEvent(name + " key=" + key + " kind=22242 " + tags); err != nil {
				return nil, err
			}
			if err := s.demand(args[0], "AUTH", name); err != nil {
				return nil, err
			}
		}
		return nil, nil
	case "quiet":
		return nil, s.quiet(args...)
	case "now":
		s.now = time.Now().Unix()
		return nil, nil
	case "until":
		text, err := s.fill(rest)
		if err != nil {
			return nil, err
		}
		at, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, err
		}
		<-time.After(time.Until(time.Unix(at, 0)))
		return nil, nil
	case "restart":
		for name, a := range s.conns {
			a.close()
			delete(s.conns, name)
		}
		s.relay.stop()
		s.relay = start(s.t, s.mode, s.relay.data, nil, environment(rest)...)
		return nil, nil
	}
	return nil, errors.New("no such command")
}

// open connects; with greeting it takes the challenge that comes first.
func (s *stage) open(name string, greeting bool) error {
	if s.conns[name] != nil {
		return fmt.Errorf("%s is open", name)
	}
	a, err := newActor(s.relay.url)
	if err != nil {
		return err
	}
	s.conns[name] = a
	if !greeting || strings.Contains(s.script.settings, "policy.auth=needed") {
		return nil
	}
	f, ok := a.take(cue)
	if s.named(name, f); !ok || a.challenge == "" {
		return fmt.Errorf("no challenge, but %q", f)
	}
	return nil
}

// demand sends an event that must be accepted.
func (s *stage) demand(conn, verb, name string) error {
	text, err := s.fill(`["` + verb + `",$` + name + `]`)
	if err != nil {
		return err
	}
	if s.conns[conn] == nil {
		return fmt.Errorf("%s is not open", conn)
	}
	if err := s.conns[conn].send(text); err != nil {
		return err
	}
	got, err := s.next(conn)
	if err == nil && got != `["OK","$`+name+`.id",true,""]` {
		err = fmt.Errorf("%s %s: %s", verb, name, got)
	}
	return err
}

// fill puts what they stand for in the place of names.
func (s *stage) fill(text string) (string, error) {
	var err error
	text = repeated.ReplaceAllStringFunc(text, func(m string) string {
		parts := repeated.FindStringSubmatch(m)
		n, _ := strconv.Atoi(parts[2])
		return strings.Repeat(parts[1], n)
	})
	text = reference.ReplaceAllStringFunc(text, func(m string) string {
		parts := reference.FindStringSubmatch(m)
		v, ok := s.value(parts[1], parts[2], parts[3])
		if !ok {
			err = fmt.Errorf("nothing is called %s", m)
		}
		return v
	})
	return text, err
}

var (
	repeated  = regexp.MustCompile(`\$\{(.+?)\*(\d+)\}`)
	reference = regexp.MustCompile(`\$([a-z][a-z0-9]*)(?:\.(id|pubkey|sig|created_at|challenge)\b)?([+-]\d+)?`)
)

func (s *stage) value(name, part, offset string) (string, bool) {
	e := s.events[name]
	switch {
	case name == "now":
		n, _ := strconv.ParseInt(offset, 10, 64)
		return strconv.FormatInt(s.now+n, 10), true
	case name == "url":
		return s.relay.url + offset, true
	case name == "host":
		return strings.Trim(strings.TrimPrefix(s.relay.url, "ws://"), "/") + offset, true
	case part == "challenge" && s.conns[name] != nil:
		return s.conns[name].challenge + offset, true
	case part == "created_at" && e != nil:
		n, _ := strconv.ParseInt(offset, 10, 64)
		return strconv.FormatInt(e.CreatedAt+n, 10), true
	case part == "id" && e != nil:
		return e.ID.String() + offset, true
	case part == "pubkey" && e != nil:
		return e.PubKey.String() + offset, true
	case part == "sig" && e != nil:
		return fmt.Sprintf("%x", e.Sig[:]) + offset, true
	case part == "" && e != nil:
		return string(e.AppendJSON(nil)) + offset, true
	case part == "":
		return s.key(name).String() + offset, true
	}
	return "", false
}

// named puts names in the place of what they stand for; the challenge of an AUTH
// frame becomes the connection's.
func (s *stage) named(conn, text string) string {
	var parts []json.RawMessage
	json.Unmarshal([]byte(text), &parts)
	var verb string
	if len(parts) > 0 {
		json.Unmarshal(parts[0], &verb)
	}
	if verb == "AUTH" && len(parts) == 2 {
		json.Unmarshal(parts[1], &s.conns[conn].challenge)
	}
	if verb == "EVENT" && len(parts) == 3 {
		if name := s.nameOf(parts[2]); name != "" {
			text = strings.TrimSuffix(text, string(parts[2])+"]") + "$" + name + "]"
		}
	}
	for _, name := range sorted(s.events) {
		text = strings.ReplaceAll(text, s.events[name].ID.String(), "$"+name+".id")
	}
	for _, name := range sorted(s.keys) {
		text = strings.ReplaceAll(text, s.keys[name].String(), "$"+name)
	}
	for _, name := range sorted(s.conns) {
		if c := s.conns[name].challenge; c != "" {
			text = strings.ReplaceAll(text, c, "$"+name+".challenge")
		}
	}
	return text
}

func sorted[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// nameOf returns the name of the event whose canonical JSON this is, to the byte.
func (s *stage) nameOf(raw []byte) string {
	e, err := nostr.ParseEvent(raw, nostr.EventLimits{})
	if err != nil {
		return ""
	}
	for _, name := range sorted(s.events) {
		if s.events[name].ID == e.ID && s.events[name].Sig == e.Sig && string(s.events[name].AppendJSON(nil)) == string(raw) {
			return name
		}
	}
	return ""
}

// http asks the relay's address; the answer's lines are its status, the headers
// of a fixed list, and its body when that is JSON.
func (s *stage) http(text string) ([]string, error) {
	parts := strings.Split(text, " | ")
	method, path, _ := strings.Cut(parts[0], " ")
	host, _ := s.value("host", "", "")
	req, err := http.NewRequest(method, "http://"+host+path, nil)
	if err != nil {
		return nil, err
	}
	for _, h := range parts[1:] {
		key, value, _ := strings.Cut(h, ": ")
		req.Header.Add(key, value)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	lines := []string{strconv.Itoa(resp.StatusCode)}
	for _, key := range []string{"Content-Type", "Access-Control-Allow-Origin", "Access-Control-Allow-Headers", "Access-Control-Allow-Methods", "Allow"} {
		for _, v := range resp.Header.Values(key) {
			lines = append(lines, key+": "+v)
		}
	}
	var doc map[string]any
	if json.NewDecoder(resp.Body).Decode(&doc) != nil {
		return lines, nil
	}
	if doc["version"] != nil {
		doc["version"] = "$version"
	}
	pretty, err := json.MarshalIndent(doc, "", "  ")
	return append(lines, strings.Split(s.named("", string(pretty)), "\n")...), err
}
