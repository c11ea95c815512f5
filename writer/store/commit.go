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
	Vanish bool // a request to vanish (NIP-62), and meant for this relay

	// Of an ephemeral event: the entry that Wait returns, but not the stored one,
	// says that this gateway wants to know under this number who has Heard it. An
	// Asker of 0 does not.
	Asker subject.Instance
	Num   uint64
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
	verdictDeleted   = Verdict{relaypb.Outcome_BLOCKED, nostr.Blocked.Text("deleted")}
	verdictVanished  = Verdict{relaypb.Outcome_BLOCKED, nostr.Blocked.Text("vanished")}
	verdictForged    = Verdict{relaypb.Outcome_INVALID, nostr.Invalid.Text("bad signature")}
	verdictFull      = Verdict{relaypb.Outcome_ERROR, nostr.Failed.Text("disk full")}
)

// Commit is a batch that has been decided, or a step of Sweep, and that has been
// handed to the disk.
type Commit struct {
	// Verdicts has one verdict for each Incoming, none after Sweep. They hold once Wait has
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
	verdicts, err := s.w.decideAll(incoming, !s.DiskOK())
	if err != nil {
		return nil, s.fail(fmt.Errorf("store %s: commit: %w", s.dir, err))
	}
	c, err := s.apply()
	if err != nil {
		return nil, s.fail(fmt.Errorf("store %s: commit: %w", s.dir, err))
	}
	c.Verdicts = verdicts
	return c, nil
}

// apply makes a Commit of the batch in work.
func (s *Store) apply() (*Commit, error) {
	w, p := &s.w, &s.w.pending
	c := &Commit{s: s, number: s.committed + 1, head: w.head}
	if p.batch.Empty() && !p.begun {
		s.committed++
		return c, p.batch.Close()
	}
	if err := w.complete(); err != nil {
		return nil, err
	}
	if err := s.db.ApplyNoSyncWait(p.batch, pebble.Sync); err != nil {
		return nil, err
	}
	c.batch, c.snap, c.entries, c.gone = p.batch, s.db.NewSnapshot(), p.entries, w.vanishing
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
