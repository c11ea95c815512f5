package show

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/subject"
	"rhea/rhea/tap/words"
)

// Filter says what to show. What is empty is any.
type Filter struct {
	Conn     subject.ConnID
	Subject  string // relative to the deployment, such as "ingest.>"
	Event    string // the beginning of an event's id, in hex
	From, To When
}

// When is a point in time: since the recording's beginning, or by the calendar.
type When struct {
	set   bool
	since time.Duration
	at    time.Time // zero: since
}

// ParseWhen reads "1.5s", "2m", or a time as in RFC 3339. Empty is no When.
func ParseWhen(s string) (When, error) {
	if s == "" {
		return When{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return When{set: true, since: d}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return When{}, fmt.Errorf("%q is no time: want one since the beginning, such as 1.5s, or 2006-01-02T15:04:05Z", s)
	}
	return When{set: true, at: at}, nil
}

func (w When) in(began time.Time) time.Time {
	if w.at.IsZero() {
		return began.Add(w.since)
	}
	return w.at
}

// within says whether a message's time is one to show.
func (f Filter) within(at, began time.Time) bool {
	return !(f.From.set && at.Before(f.From.in(began)) || f.To.set && at.After(f.To.in(began)))
}

// wants says whether a message is one to show, but for its time and its subject.
func (f Filter) wants(m proto.Message, conns []subject.ConnID) bool {
	if f.Conn != 0 && !slices.Contains(conns, f.Conn) {
		return false
	}
	return f.Event == "" || m != nil && words.Mentions(m, f.Event)
}

// ParseEvent reads the beginning of an event's id.
func ParseEvent(s string) (string, error) {
	s = strings.ToLower(s)
	if len(s) < 8 || len(s) > 64 || strings.Trim(s, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%q is no event id: want 64 hex digits, or the first 8 or more of them", s)
	}
	return s, nil
}

// ParseConn reads a connection's id as logs have it.
func ParseConn(s string) (subject.ConnID, error) {
	gateway, counter, ok := strings.Cut(s, "-")
	g, errGateway := strconv.ParseUint(gateway, 16, 32)
	n, errCounter := strconv.ParseUint(counter, 10, 32)
	if !ok || len(gateway) != 8 || errGateway != nil || errCounter != nil {
		return 0, fmt.Errorf("%q is no connection: want one as logs have it, such as 1a2b3c4d-17", s)
	}
	return subject.MakeConnID(subject.Instance(g), uint32(n)), nil
}

// covers says whether a pattern with wildcards covers a subject.
func covers(pattern, subj string) bool {
	p, s := strings.Split(pattern, "."), strings.Split(subj, ".")
	for i := range p {
		switch {
		case p[i] == ">":
			return len(s) > i
		case i >= len(s) || p[i] != "*" && p[i] != s[i]:
			return false
		}
	}
	return len(p) == len(s)
}
