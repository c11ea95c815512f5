// Package nostrtest helps to test whatever handles events: real events, made
// up ones, random filters taken from the events' own values, and a naive
// oracle that says what a query must return.
//
// It owns no rule of the protocol except in the oracle, which shares no code
// with nostr's parser and matcher on purpose. Everything random comes from a
// seed that the caller prints. Not for use outside tests.
package nostrtest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"testing"

	"rhea/proto/nostr"
	"rhea/proto/nostr/testdata"
	"rhea/proto/schnorr"
)

// EventsVar names the environment variable with the path of another file of
// events (.jsonl, or compressed with gzip) to use in place of testdata.
const EventsVar = "RHEA_EVENTS"

// maxLine bounds the JSON of one event.
const maxLine = 16 << 20

// Lines returns the JSON of the real events, ordered by created_at, then id:
// those of testdata, or of the file that RHEA_EVENTS names.
func Lines(tb testing.TB) [][]byte {
	tb.Helper()
	data := testdata.Events
	if path := os.Getenv(EventsVar); path != "" {
		var err error
		if data, err = os.ReadFile(path); err != nil {
			tb.Fatal(err)
		}
	}
	lines, err := ReadLines(bytes.NewReader(data))
	if err != nil {
		tb.Fatal(err)
	}
	return lines
}

// Events returns the real events of Lines, parsed.
func Events(tb testing.TB) []*nostr.Event {
	tb.Helper()
	var events []*nostr.Event
	for i, line := range Lines(tb) {
		e, err := nostr.ParseEvent(line, nostr.EventLimits{})
		if err != nil {
			tb.Fatalf("line %d: %v", i+1, err)
		}
		events = append(events, e)
	}
	return events
}

// ReadLines reads lines, compressed with gzip or not.
func ReadLines(r io.Reader) ([][]byte, error) {
	in := bufio.NewReader(r)
	if magic, _ := in.Peek(2); string(magic) == "\x1f\x8b" {
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("reading events: %w", err)
		}
		in = bufio.NewReader(unzipped)
	}
	s := bufio.NewScanner(in)
	s.Buffer(nil, maxLine)
	var lines [][]byte
	for s.Scan() {
		if len(s.Bytes()) > 0 {
			lines = append(lines, bytes.Clone(s.Bytes()))
		}
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	return lines, nil
}

// Sign makes e an event of the key: it sets pubkey, id and signature. The
// result depends on nothing else.
func Sign(e *nostr.Event, secret [32]byte) error {
	pubkey, err := schnorr.PublicKey(&secret)
	if err != nil {
		return fmt.Errorf("signing an event: %w", err)
	}
	e.PubKey = pubkey
	e.ID = e.ComputeID()
	if e.Sig, err = schnorr.Sign(&secret, (*[32]byte)(&e.ID), new([32]byte)); err != nil {
		return fmt.Errorf("signing event %s: %w", e.ID, err)
	}
	return nil
}
