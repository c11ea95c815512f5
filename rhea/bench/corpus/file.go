package corpus

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"rhea/proto/nostr"
)

// Made returns the first count events of a seed, from the cache directory dir if it
// holds them; else they are made, which takes some seconds for 100,000, and kept
// there. Progress is told what takes long.
func Made(dir string, seed uint64, count int, progress func(string)) ([]Event, error) {
	path := filepath.Join(dir, fmt.Sprintf("events-v%d-%d-%d.jsonl", version, seed, count))
	events, err := Read(path)
	if err == nil && len(events) == count {
		return events, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	progress(fmt.Sprintf("making and signing %d events, kept in %s", count, path))
	made, err := generate(seed, count)
	if err != nil {
		return nil, err
	}
	var text []byte
	for _, e := range made {
		text = append(e.AppendJSON(text), '\n')
	}
	if err := keep(path, text); err != nil {
		return nil, fmt.Errorf("keeping events: %w", err)
	}
	return parse(text)
}

// keep writes a file that is there whole or not at all.
func keep(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "making-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Read returns the events of a file, one JSON object a line, plain or compressed with
// gzip or zstd. Not even their ids are checked: that is for the relay to do.
func Read(path string) ([]Event, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	defer f.Close()
	text, err := plain(f)
	if err != nil {
		return nil, fmt.Errorf("events: %s: %w", path, err)
	}
	events, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("events: %s: %w", path, err)
	}
	return events, nil
}

func plain(f io.Reader) ([]byte, error) {
	in := bufio.NewReader(f)
	magic, _ := in.Peek(4) // a shorter file has no magic
	switch {
	case bytes.HasPrefix(magic, []byte("\x1f\x8b")):
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(z)
	case bytes.Equal(magic, []byte("\x28\xb5\x2f\xfd")):
		z, err := zstd.NewReader(in)
		if err != nil {
			return nil, err
		}
		defer z.Close()
		return io.ReadAll(z)
	}
	return io.ReadAll(in)
}

func parse(text []byte) (events []Event, err error) {
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		e, err := nostr.ParseEvent(line, nostr.EventLimits{})
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		events = append(events, Event{
			JSON: line, ID: e.ID, Author: e.PubKey, CreatedAt: e.CreatedAt, Kind: e.Kind,
			Replied: first(e, "e"), Mentioned: first(e, "p"),
		})
	}
	return events, nil
}

// first returns the value of the first tag of a name, if a filter can ask for it.
func first(e *nostr.Event, name string) string {
	for _, t := range e.Tags {
		if len(t) > 1 && t[0] == name && len(t[1]) == 64 {
			return strings.Clone(t[1])
		}
	}
	return ""
}
