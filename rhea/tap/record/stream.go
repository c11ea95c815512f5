package record

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"rhea/proto/bus"
	"rhea/rhea/tap"
)

// jetStreamTimeout is how long NATS may take to answer a question about a stream.
const jetStreamTimeout = 10 * time.Second

// Stream is a JetStream stream that NATS writes what is said to, without a recorder.
// It forgets the oldest when it is full.
type Stream struct {
	Name     string
	Subjects []string      // in full
	MaxSize  int64         // bytes; 0 is any
	MaxAge   time.Duration // of a message; 0 is any
}

// CheckStream refuses what cannot be a stream's name.
func CheckStream(name string) error {
	if strings.ContainsAny(name, " \t\r\n.*>/\\") {
		return fmt.Errorf("%q is no name of a stream: want letters, digits, - and _", name)
	}
	return nil
}

// Keep makes the stream, or gives one of that name and these subjects its bounds; made
// says which. Nobody who sends a message waits for it to be stored, or hears of it.
func Keep(ctx context.Context, nc *nats.Conn, s Stream) (made bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, jetStreamTimeout)
	defer cancel()
	js, err := open(ctx, nc)
	if err != nil {
		return false, err
	}
	config := jetstream.StreamConfig{
		Name: s.Name, Description: "what the stages of a Rhea relay say to each other", Subjects: s.Subjects,
		Storage: jetstream.FileStorage, Discard: jetstream.DiscardOld, MaxBytes: s.MaxSize, MaxAge: s.MaxAge,
		// Requests go over these subjects too, and an acknowledgement would come back as
		// their reply.
		NoAck: true,
	}
	if config.MaxBytes == 0 {
		config.MaxBytes = -1
	}
	old, err := js.Stream(ctx, s.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = js.CreateStream(ctx, config)
		return err == nil, about(s.Name, err)
	}
	if err != nil {
		return false, about(s.Name, err)
	}
	if had := old.CachedInfo().Config; !slices.Equal(had.Subjects, s.Subjects) || !had.NoAck {
		return false, fmt.Errorf("the stream %s is there already, for %s: name another, or end it with --drop-stream", s.Name, strings.Join(had.Subjects, ", "))
	}
	_, err = js.UpdateStream(ctx, config)
	return false, about(s.Name, err)
}

// Drop ends a stream and removes all that it holds. One that Keep has not made is left
// alone.
func Drop(ctx context.Context, nc *nats.Conn, name, prefix string) error {
	ctx, cancel := context.WithTimeout(ctx, jetStreamTimeout)
	defer cancel()
	js, err := open(ctx, nc)
	if err != nil {
		return err
	}
	if _, err := ours(ctx, js, name, prefix); err != nil {
		return err
	}
	return about(name, js.DeleteStream(ctx, name))
}

// Take writes what a stream holds from one time up to another, or up to now if that is
// zero, to a recording. JetStream does not keep reply subjects: requests are in it
// without, and replies by themselves.
func Take(ctx context.Context, nc *nats.Conn, name string, c bus.Config, from, upto time.Time, to io.Writer, o Options) (Progress, error) {
	asking, cancel := context.WithTimeout(ctx, jetStreamTimeout)
	defer cancel()
	js, err := open(asking, nc)
	if err != nil {
		return Progress{}, err
	}
	stream, err := ours(asking, js, name, c.Prefix)
	if err != nil {
		return Progress{}, err
	}
	state := stream.CachedInfo().State
	if state.Msgs == 0 || state.LastTime.Before(from) || !upto.IsZero() && state.FirstTime.After(upto) {
		return Progress{}, fmt.Errorf("the stream %s holds nothing of that time (it has %d messages, from %s to %s)", name, state.Msgs, clock(state.FirstTime), clock(state.LastTime))
	}
	config := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy}
	if !from.IsZero() {
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &from
	}
	consumer, err := stream.OrderedConsumer(asking, config)
	if err != nil {
		return Progress{}, about(name, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return Progress{}, about(name, err)
	}
	defer messages.Stop()
	p := piece{c: c, o: o, upto: upto, last: state.LastSeq, subjects: stream.CachedInfo().Config.Subjects}
	return p.write(ctx, messages, to)
}

// piece is what is taken out of a stream.
type piece struct {
	c        bus.Config
	o        Options
	upto     time.Time
	last     uint64 // in the stream
	subjects []string
}

func (p piece) write(ctx context.Context, from jetstream.MessagesContext, to io.Writer) (Progress, error) {
	var s *session
	for {
		m, at, last, err := p.next(ctx, from)
		if err != nil {
			return progressOf(s), fmt.Errorf("read the stream: %w", err)
		}
		if s == nil {
			if s, err = p.begin(to, at); err != nil {
				return Progress{}, err
			}
		}
		why := ""
		if !p.upto.IsZero() && at.After(p.upto) {
			return s.close("its time is reached")
		}
		full, err := s.keep([]tap.Message{{At: at, Subject: m.Subject(), Data: m.Data()}})
		switch {
		case err != nil:
			return progressOf(s), err
		case full:
			why = BySize
		case last:
			why = "the stream held no more"
		}
		if why != "" {
			return s.close(why)
		}
	}
}

func (p piece) begin(to io.Writer, at time.Time) (*session, error) {
	host, _ := os.Hostname() // as in Run
	if slices.Contains(p.o.Redact, Addresses) {
		host = ""
	}
	w, err := tap.NewWriter(to, tap.Header{
		Prefix: p.c.Prefix, Shards: p.c.Shards, Started: at.UTC(), Host: host, Version: p.o.Version, Subjects: p.subjects, Redacted: p.o.Redact,
	})
	if err != nil {
		return nil, err
	}
	return newSession(w, p.c.Prefix, p.o, time.Now()), nil
}

// next returns the next message, when NATS has stored it, and whether it is the last.
func (p piece) next(ctx context.Context, from jetstream.MessagesContext) (m jetstream.Msg, at time.Time, last bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, jetStreamTimeout)
	defer cancel()
	if m, err = from.Next(jetstream.NextContext(ctx)); err != nil {
		return nil, time.Time{}, false, err
	}
	meta, err := m.Metadata()
	if err != nil {
		return nil, time.Time{}, false, err
	}
	return m, meta.Timestamp, meta.Sequence.Stream >= p.last || meta.NumPending == 0, nil
}

// progressOf is how far a session has come that may not have begun.
func progressOf(s *session) Progress {
	if s == nil {
		return Progress{}
	}
	s.progress.Bytes = s.w.Whole()
	return s.progress
}

func open(ctx context.Context, nc *nats.Conn) (jetstream.JetStream, error) {
	js, err := jetstream.New(nc)
	if err == nil {
		_, err = js.AccountInfo(ctx)
	}
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount), errors.Is(err, nats.ErrNoResponders):
		return nil, errors.New("the relay's NATS has no JetStream (the one of rhea up never has): record to a file")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return nil, errors.New("JetStream does not answer: may this credential use it ($JS.API.> and _INBOX.>)?")
	case err != nil:
		return nil, fmt.Errorf("JetStream: %w", err)
	}
	return js, nil
}

// ours finds a stream and makes sure that it is one of this deployment's bus.
func ours(ctx context.Context, js jetstream.JetStream, name, prefix string) (jetstream.Stream, error) {
	stream, err := js.Stream(ctx, name)
	if err != nil {
		return nil, about(name, err)
	}
	for _, s := range stream.CachedInfo().Config.Subjects {
		if !strings.HasPrefix(s, prefix+".") {
			return nil, fmt.Errorf("the stream %s holds %s, which is not of this relay (%s.>)", name, s, prefix)
		}
	}
	return stream, nil
}

func about(name string, err error) error {
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return fmt.Errorf("there is no stream %s: make it with --stream", name)
	case err != nil:
		return fmt.Errorf("the stream %s: %w", name, err)
	}
	return nil
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }
