package operate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"rhea/proto/bus"
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
	"rhea/writer/store"
)

// Info is what a store holds. Its JSON form is for machines; names are only added to it.
type Info struct {
	Store   string      `json:"store"`            // identity, hex
	Format  uint32      `json:"format,omitempty"` // 0 if the writer is of another version
	Running string      `json:"running"`          // version of the writer that serves it; "" if none does
	Head    subject.Seq `json:"seq"`
	Events  uint64      `json:"events"`
	Oldest  int64       `json:"oldest"` // created_at, Unix seconds; 0 without events
	Newest  int64       `json:"newest"`
	Bytes   uint64      `json:"bytes"`           // on disk
	Parts   *Parts      `json:"parts,omitempty"` // of them, if the store is on this machine
}

// Parts are the bytes of a store's files by what they are for.
type Parts struct {
	Tables uint64 `json:"tables"` // keys and small values
	Values uint64 `json:"values"` // large ones: most events
	WAL    uint64 `json:"wal"`    // committed, and not in tables yet
	Other  uint64 `json:"other"`
}

// patience is how long the processes of a relay may take to announce themselves.
const patience = 5 * time.Second

// RunningInfo asks the relay on a bus. It counts the events, which reads an index.
func RunningInfo(ctx context.Context, b *bus.Bus) (info Info, err error) {
	roster := bus.NewRoster(b, "", "", nil)
	err = roster.While(ctx, func(ctx context.Context) error {
		info, err = announced(ctx, roster)
		return err
	})
	if err != nil {
		return info, err
	}
	n, err := Count(ctx, b, Query{})
	if err != nil {
		return info, err
	}
	info.Events = uint64(n)
	if info.Oldest, err = end(ctx, b, true); err != nil {
		return info, err
	}
	info.Newest, err = end(ctx, b, false)
	return info, err
}

// announced returns what the writer says of itself.
func announced(ctx context.Context, roster *bus.Roster) (info Info, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for changes := roster.Changes(); ; {
		for _, m := range roster.View().Members(subject.Writer) {
			if m.Store != 0 {
				info = Info{Store: fmt.Sprintf("%016x", m.Store), Running: m.Version, Head: subject.Seq(m.Seq), Bytes: uint64(m.Stats["store_bytes"])}
				if m.Version == stage.Version() {
					info.Format = store.Format
				}
				return info, nil
			}
		}
		select {
		case <-ctx.Done():
			return info, errors.New("no writer serves a store")
		case <-changes:
		}
	}
}

// end returns the created_at of the oldest or the newest event, 0 if there is none.
func end(ctx context.Context, b *bus.Bus, oldest bool) (at int64, err error) {
	ask, err := Query{Filters: []string{`{"limit":1}`}, Ascending: oldest}.ask(relaypb.Want_EVENTS)
	if err != nil {
		return 0, err
	}
	err = eachSlice(ctx, b, ask, func(reply *relaypb.ScanReply) (more bool, err error) {
		if len(reply.Events) == 0 {
			return true, nil
		}
		e, err := nostr.ParseEvent(reply.Events[0], nostr.EventLimits{})
		if err != nil {
			return false, fmt.Errorf("an event that is stored: %w", err)
		}
		at = e.CreatedAt
		return false, nil
	})
	return at, err
}

// StoppedInfo reads the store in dir, which no relay serves.
func StoppedInfo(dir string) (Info, error) {
	if _, err := os.Stat(dir); err != nil {
		return Info{}, fmt.Errorf("there is no store: %w", err)
	}
	s, err := store.ReadInfo(dir, store.Options{})
	if err != nil {
		return Info{}, err
	}
	info := Info{
		Store: fmt.Sprintf("%016x", s.ID), Format: s.Format, Head: s.Head, Events: s.Events, Oldest: s.Oldest, Newest: s.Newest,
	}
	return info, info.Measure(dir)
}

// Measure adds the sizes of the store's files in dir, as they are at the moment.
func (info *Info) Measure(dir string) error {
	var p Parts
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != dir { // a compaction has removed it meanwhile
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		file, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		part := &p.Other
		switch filepath.Ext(path) {
		case ".sst":
			part = &p.Tables
		case ".blob":
			part = &p.Values
		case ".log":
			part = &p.WAL
		}
		*part += uint64(file.Size())
		return nil
	})
	if err != nil {
		return err
	}
	info.Parts, info.Bytes = &p, p.Tables+p.Values+p.WAL+p.Other
	return nil
}

// Write prints it for a person.
func (info Info) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "store %s", info.Store)
	if info.Format > 0 {
		fmt.Fprintf(&b, ", format %d", info.Format)
	}
	if info.Running != "" {
		fmt.Fprintf(&b, ", served by a writer of version %s\n", info.Running)
	} else {
		b.WriteString(", read from disk: no relay runs\n")
	}
	fmt.Fprintf(&b, "%12d  events\n%12d  is the last seq\n", info.Events, info.Head)
	if info.Events > 0 {
		when := func(at int64) string { return time.Unix(at, 0).UTC().Format(time.DateTime) }
		fmt.Fprintf(&b, "oldest of %s, newest of %s (UTC, as the events say)\n", when(info.Oldest), when(info.Newest))
	}
	mib := func(n uint64) float64 { return float64(n) / (1 << 20) }
	fmt.Fprintf(&b, "%12.1f  MiB on disk\n", mib(info.Bytes))
	if p := info.Parts; p != nil {
		for _, row := range []struct {
			n    uint64
			what string
		}{{p.Tables, "tables: keys and small events"}, {p.Values, "large values: most events"}, {p.WAL, "write-ahead log"}, {p.Other, "other files"}} {
			fmt.Fprintf(&b, "%16.1f  %s\n", mib(row.n), row.what)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteJSON prints it for a machine.
func (info Info) WriteJSON(w io.Writer) error { return json.NewEncoder(w).Encode(info) }
