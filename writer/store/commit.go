package store

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// Incoming is an event that asks to be stored. The store keeps no reference to
// its bytes after Wait, except in the entries that Wait returns.
type Incoming struct {
	Header nostr.Header // complete: from nostr.AppendHeader or nostr.CheckHeader
	JSON   []byte
	Forged bool // the signature is wrong
}

// Verdict is what became of an Incoming, as relaypb.Verdict says it.
type Verdict struct {
	Outcome relaypb.Outcome
	Text    string // begins with a prefix of NIP-01, unless it is empty
}

// The verdicts.
var (
	verdictNew       = Verdict{Outcome: relaypb.Outcome_NEW}
	verdictEphemeral = Verdict{Outcome: relaypb.Outcome_EPHEMERAL}
	verdictDuplicate = Verdict{relaypb.Outcome_DUPLICATE, nostr.Duplicate.Text("already have this event")}
	verdictReplaced  = Verdict{relaypb.Outcome_REPLACED, nostr.Replaced.Text("have newer version")}
	verdictForged    = Verdict{relaypb.Outcome_INVALID, nostr.Invalid.Text("bad signature")}
	verdictFull      = Verdict{relaypb.Outcome_ERROR, nostr.Failed.Text("disk full")}
)

// Commit is a batch that has been decided and handed to the disk.
type Commit struct {
	// Verdicts has one verdict for each Incoming. They hold once Wait has
	// returned without an error.
	Verdicts []Verdict

	s       *Store
	number  uint64
	batch   *pebble.Batch    // nil if the batch changed nothing
	snap    *pebble.Snapshot // nil if batch is
	entries []*relaypb.Entry
	head    subject.Seq
	gone    vanishing
}

// Commit decides a batch in order, so that the events in it see each other, and
// hands it to Pebble without waiting for the disk: it returns while the fsync
// runs, and the next Commit sees what this one did. Readers see it after Wait.
// While the disk is full, what would need it is refused; what is stored already,
// superseded or forged is told so as ever.
//
// An error means that the store has failed and takes nothing more.
func (s *Store) Commit(incoming []Incoming) (*Commit, error) {
	if err := s.Err(); err != nil {
		return nil, err
	}
	c := &Commit{Verdicts: make([]Verdict, len(incoming)), s: s, number: s.committed + 1}
	if err := s.w.commit(c, incoming, !s.DiskOK()); err != nil {
		return nil, s.fail(fmt.Errorf("store %s: commit: %w", s.dir, err))
	}
	c.head = s.w.head
	s.committed++
	return c, nil
}

// Wait returns when the commit, and with it every one before, is on disk, and
// makes it visible to readers. It is called once for each Commit, in the order
// of the Commits. It returns the log entries that the commit made, ascending by
// Seq, and the last Seq on disk.
//
// An error means that the store has failed: the commit is on disk or it is not.
func (c *Commit) Wait() (entries []*relaypb.Entry, head subject.Seq, err error) {
	s := c.s
	if !s.waited.CompareAndSwap(c.number-1, c.number) {
		return nil, 0, fmt.Errorf("store %s: Wait for commit %d out of order", s.dir, c.number)
	}
	if c.batch == nil {
		return nil, c.head, s.Err()
	}
	err = errors.Join(c.batch.SyncWait(), c.batch.Close())
	if err == nil {
		err = s.install(c.snap, c.head, c.gone)
	}
	if err != nil {
		return nil, 0, s.fail(fmt.Errorf("store %s: waiting for the disk: %w", s.dir, err))
	}
	return c.entries, c.head, s.Err()
}
