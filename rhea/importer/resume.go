package importer

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"rhea/proto/bus"
	"rhea/proto/subject"
)

// StateSuffix is appended to a file's name for the file that says how far its import
// has come. It is there from the first answered part on until the import is done.
const StateSuffix = ".rhea-import"

// freshSuffix is that of a state while it is written.
const freshSuffix = StateSuffix + ".new"

// State is how far a file has been imported: every line before has its final answer.
type State struct {
	Bytes  int64  `json:"bytes"` // of the unpacked text, whole lines
	Lines  int    `json:"lines"`
	SHA256 string `json:"sha256"` // of these bytes, so that another file is not taken for this one
	// Store has the events, and had this Seq by then: in another store, or in one from
	// an older backup, they are not.
	Store string      `json:"store"`
	Seq   subject.Seq `json:"seq"`
}

// checkResumable refuses what cannot be read a second time, and states that nobody
// can read, before anything is sent.
func checkResumable(files []string) error {
	if len(files) == 0 {
		files = []string{"-"}
	}
	seen := make(map[string]bool)
	for _, name := range files {
		if name == "-" {
			return errors.New("an import of standard input cannot go on later: name the file")
		}
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is not a regular file: its import cannot go on later", name)
		}
		if seen[name] {
			return fmt.Errorf("%s is named twice", name)
		}
		seen[name] = true
		if _, err := readState(name); err != nil {
			return err
		}
		if err := probe(name); err != nil {
			return fmt.Errorf("how far the import is cannot be kept: %w", err)
		}
	}
	return nil
}

// probe finds out whether a state can be written beside file.
func probe(file string) error {
	if err := os.WriteFile(file+freshSuffix, nil, 0o600); err != nil {
		return err
	}
	return os.Remove(file + freshSuffix)
}

// readState returns where an import of file was cut; the zero State if it never was.
func readState(file string) (s State, err error) {
	text, err := os.ReadFile(file + StateSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, nil
	}
	if err != nil {
		return State{}, err
	}
	if err := json.Unmarshal(text, &s); err != nil || s.Bytes < 0 || s.Lines < 0 || len(s.SHA256) != 2*sha256.Size {
		return State{}, fmt.Errorf("%s is not what an import has written: remove it to start over", file+StateSuffix)
	}
	return s, nil
}

// writeState replaces a state as a whole: a crash leaves the old one or the new one.
// It need not be on disk: an older one costs only duplicates.
func writeState(file string, s State) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	fresh := file + freshSuffix
	if err := os.WriteFile(fresh, append(text, '\n'), 0o600); err != nil {
		os.Remove(fresh) // what is left of it is overwritten the next time anyway
		return err
	}
	return os.Rename(fresh, file+StateSuffix)
}

// serving returns the store that a writer serves, and its last Seq.
func serving(v *bus.View) (store string, seq subject.Seq, ok bool) {
	for _, m := range v.Members(subject.Writer) {
		if m.Store != 0 {
			return fmt.Sprintf("%016x", m.Store), subject.Seq(m.Seq), true
		}
	}
	return "", 0, false
}

// goOn reads where the files' imports were cut, and makes sure that the store is the
// one that they went to.
func (s *session) goOn(ctx context.Context) error {
	changes := s.roster.Changes()
	store, seq, ok := serving(s.roster.View())
	for timeout := time.After(givingUp); !ok; store, seq, ok = serving(s.roster.View()) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout:
			return ErrLost
		case <-changes:
		}
	}
	s.from, s.store = make(map[string]State), store
	for _, name := range s.o.Files {
		state, err := readState(name)
		if err != nil {
			return err
		}
		if state.Bytes > 0 && (state.Store != store || state.Seq > seq) {
			return fmt.Errorf("%s was imported to another store, or to this one before it was restored: remove %s to start over", name, name+StateSuffix)
		}
		s.from[name] = state
		s.core.result.Before += state.Lines
	}
	return nil
}

// keep writes down how far the files have been imported by now.
func (s *session) keep() error {
	for file, state := range s.core.reached() {
		// A writer that is away for the moment keeps its store; its Seq is only older.
		if _, seq, ok := serving(s.roster.View()); ok {
			s.seq = seq
		}
		state.Store, state.Seq = s.store, s.seq
		if err := writeState(file, state); err != nil {
			return fmt.Errorf("keeping how far the import is: %w", err)
		}
	}
	return nil
}

// forget removes the states of an import that is done.
func (s *session) forget() error {
	for _, name := range s.o.Files {
		if err := os.Remove(name + StateSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
