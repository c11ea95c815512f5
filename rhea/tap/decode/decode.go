// Package decode says which messages of the contract a bus message holds, by its
// subject, for the tools that look at all of them: recordings, their display,
// traces. It knows every inbox of package relaypb, and nothing of what the
// messages mean. It has no state.
package decode

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// Said is a bus message, taken apart.
type Said struct {
	Inbox string // "ingest", "log.fetch", "reply"; empty for a subject of no deployment
	Key   string // a shard, an instance, a stage, what follows "reply."; may be empty
	Sent  time.Time
	// Messages are those of the inbox: *relaypb.IngestInbox and so on; see Body.
	Messages []proto.Message
	// Err says that the bus message, or its rest behind Messages, does not decode.
	Err error
}

// Message takes a message on a subject of the deployment apart.
func Message(prefix, subj string, data []byte) Said {
	s := Said{}
	s.Inbox, s.Key = Inbox(prefix, subj)
	sent, bodies := bus.Split(data)
	s.Sent = sent
	for body, err := range bodies {
		if err != nil {
			s.Err = err
			return s
		}
		m := empty(s.Inbox, body)
		if m == nil {
			s.Err = fmt.Errorf("no inbox %q is known", s.Inbox)
			return s
		}
		if err := proto.Unmarshal(body, m); err != nil {
			s.Err = err
			return s
		}
		s.Messages = append(s.Messages, m)
	}
	return s
}

// Inbox splits a subject under prefix into the inbox's name and its key.
func Inbox(prefix, subj string) (inbox, key string) {
	rest, ok := strings.CutPrefix(subj, prefix+"."+subject.Version+".")
	if !ok {
		return "", ""
	}
	if rest == "log.fetch" {
		return rest, ""
	}
	inbox, key, _ = strings.Cut(rest, ".")
	return inbox, key
}

// empty returns a new message of the kind that an inbox carries, nil for an inbox
// that is not known. Replies say nothing of what was asked, but there are two kinds
// of them, and only a LogInbox begins with a field 1 that has a length.
func empty(inbox string, body []byte) proto.Message {
	switch inbox {
	case "ingest":
		return new(relaypb.IngestInbox)
	case "write":
		return new(relaypb.WriteInbox)
	case "req":
		return new(relaypb.ReqInbox)
	case "sub":
		return new(relaypb.SubInbox)
	case "neg":
		return new(relaypb.NegInbox)
	case "out":
		return new(relaypb.OutInbox)
	case "scan":
		return new(relaypb.ScanInbox)
	case "log":
		return new(relaypb.LogInbox)
	case "log.fetch":
		return new(relaypb.LogFetch)
	case "member":
		return new(relaypb.Member)
	case "hello":
		return new(relaypb.Hello)
	case "up":
		return new(relaypb.UpInbox)
	case "reply":
		if bytes.HasPrefix(body, []byte{1<<3 | 2}) {
			return new(relaypb.LogInbox)
		}
		return new(relaypb.ScanReply)
	}
	return nil
}

// Body returns what an inbox's message holds, such as the EventFrame of an
// IngestInbox, and m itself when it is no such envelope. An envelope whose kind this
// version does not know is returned as it is.
func Body(m proto.Message) proto.Message {
	r := m.ProtoReflect()
	oneofs := r.Descriptor().Oneofs()
	if oneofs.Len() != 1 || oneofs.Get(0).Name() != "body" {
		return m
	}
	f := r.WhichOneof(oneofs.Get(0))
	if f == nil {
		return m
	}
	return r.Get(f).Message().Interface()
}
