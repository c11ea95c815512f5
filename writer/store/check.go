package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"rhea/proto/nostr"
	"rhea/proto/subject"
)

// Report is what the checker found.
type Report struct {
	Head      subject.Seq
	Events    uint64 // stored and indexed
	Ephemeral uint64 // ephemeral entries still in the log
	Stubs     uint64 // entries that hold no event, or no longer, but only removals
	Removed   uint64 // removals in the log
	Forgotten uint64 // ephemeral entries dropped from the log
	IndexKeys uint64 // in all indexes, ids and heads included
	Deletions uint64 // tombstones of ids and addresses (NIP-09)
	Vanished  uint64 // authors who have asked to vanish (NIP-62)
	Vanishing uint64 // of these, those whose events are not all removed yet
	Hidden    uint64 // events of theirs that are still stored, and that nobody is shown

	// Problems is what is wrong, maxProblems at most. An empty list is a store in
	// order.
	Problems []string
	More     bool // there are more problems than are listed
}

const maxProblems = 100

// Check opens the store in dir for reading only and checks it. The error is
// about opening and reading; what is wrong with the contents is in the report.
func Check(dir string, opt Options) (_ Report, err error) {
	s, err := open(dir, opt, true)
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	v, err := s.View()
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	return v.Check()
}

// Check walks the whole log and every index of a view:
//
//   - each Seq up to the head is an entry, or is named as removed by a later
//     entry, or was an ephemeral one that has been dropped; an entry may be nothing
//     but removals
//   - no removed event is left, and no removal names what was not before it
//   - each event has all its index keys, and no index has any other key
//   - each address has its one stored event as head
//   - every tombstone is well formed, and no event is stored that one forbids,
//     unless a request to vanish hides it that is still being carried out
//   - the counts in the state are those of the contents
//
// It needs a quarter of a byte of memory for each Seq and some fifteen reads for
// each event.
func (v *View) Check() (Report, error) {
	c := checker{snap: v.snap, keys: map[byte]uint64{}}
	if err := c.run(); err != nil {
		return Report{}, fmt.Errorf("store %s: checking: %w", v.s.dir, err)
	}
	if c.rep.Head != v.seq {
		c.problem("the state says that the log ends at %d, the view at %d", c.rep.Head, v.seq)
	}
	return c.rep, nil
}

type checker struct {
	snap    *pebble.Snapshot
	rep     Report
	keys    map[byte]uint64 // index keys that the events account for
	present bitmap          // Seqs with an entry that holds an event
	removed bitmap          // Seqs that an entry names as removed
	stubs   []subject.Seq
	json    []byte // of the entry in hand

	tombstones tombstones
	vanishing  vanishing
}

type bitmap []uint64

func (b bitmap) set(s subject.Seq)      { b[s/64] |= 1 << (s % 64) }
func (b bitmap) has(s subject.Seq) bool { return b[s/64]&(1<<(s%64)) != 0 }

func (c *checker) problem(format string, args ...any) {
	if len(c.rep.Problems) == maxProblems {
		c.rep.More = true
		return
	}
	c.rep.Problems = append(c.rep.Problems, fmt.Sprintf(format, args...))
}

func (c *checker) run() error {
	b, closer, err := c.snap.Get(metaState)
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	st, err := decodeState(b)
	if err := errors.Join(err, closer.Close()); err != nil {
		return err
	}
	c.rep.Head, c.rep.Forgotten = st.head, st.forgotten
	c.present, c.removed = make(bitmap, st.head/64+1), make(bitmap, st.head/64+1)
	if err := c.checkTombstones(); err != nil {
		return err
	}
	if err := c.each(spaceLog, c.entry); err != nil {
		return err
	}
	c.checkSeqs()
	if c.rep.Events != st.events {
		c.problem("%d events are stored, the state counts %d", c.rep.Events, st.events)
	}
	for _, space := range []byte(ordered + string(spaceID) + string(spaceHead) + string(spaceExpiration)) {
		if err := c.checkIndex(space); err != nil {
			return err
		}
	}
	return c.checkEphemeral()
}

func (c *checker) each(space byte, f func(key, value []byte) error) error {
	it, err := c.snap.NewIter(within(space))
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err == nil {
			err = f(it.Key(), value)
		}
		if err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return errors.Join(it.Error(), it.Close())
}

// entry checks one entry of the log, and that the indexes know it.
func (c *checker) entry(key, value []byte) error {
	if len(key) != seqKeyLen {
		c.problem("a log key has %d bytes", len(key))
		return nil
	}
	seq := subject.Seq(binary.BigEndian.Uint64(key[1:]))
	if seq == 0 || seq > c.rep.Head {
		c.problem("log entry %d is outside 1..%d", seq, c.rep.Head)
		return nil
	}
	v, err := decodeLogValue(value)
	if err != nil {
		c.problem("log entry %d: %v", seq, err)
		return nil
	}
	for _, r := range v.removed {
		c.rep.Removed++
		if r.seq == 0 || r.seq >= seq {
			c.problem("log entry %d removes %d", seq, r.seq)
		} else if c.removed.has(r.seq) {
			c.problem("log entry %d removes %d once more", seq, r.seq)
		} else {
			c.removed.set(r.seq)
		}
	}
	if len(v.header) == 0 {
		c.rep.Stubs++
		c.stubs = append(c.stubs, seq)
		if len(v.removed) == 0 || len(v.body) > 0 {
			c.problem("log entry %d is neither an event nor a removal", seq)
		}
		return nil
	}
	if _, err := nostr.CheckHeader(v.header); err != nil {
		c.problem("log entry %d: %v", seq, err)
		return nil
	}
	if c.json, err = v.appendJSON(c.json[:0]); err != nil {
		c.problem("log entry %d: %v", seq, err)
	}
	c.present.set(seq)
	if v.header.Kind().IsEphemeral() {
		c.rep.Ephemeral++
		return c.want(appendSeqKey(nil, spaceEphemeral, seq), seq, nil)
	}
	c.rep.Events++
	if c.vanishing.covers(v.header) {
		c.rep.Hidden++
	} else if verdict, err := c.tombstones.forbid(v.header); err != nil {
		return err
	} else if verdict != nil {
		c.problem("log entry %d holds an event that has been %s", seq, strings.TrimPrefix(verdict.Text, "blocked: "))
	}
	return c.event(seq, v.header)
}

// event checks that every index knows an event.
func (c *checker) event(seq subject.Seq, h nostr.Header) error {
	seen := map[string]bool{} // an event may repeat a tag, which makes one key
	var err error
	eachIndexKey(h, seq, func(key, brief []byte) {
		if err == nil && !seen[string(key)] {
			seen[string(key)] = true
			err = c.want(key, seq, append([]byte{}, brief...))
		}
	})
	if err != nil {
		return err
	}
	p := place{seq, h.CreatedAt()}
	if err := c.want(appendIDKey(nil, h.ID()), seq, p.appendTo(nil)); err != nil {
		return err
	}
	if h.Kind().IsReplaceable() || h.Kind().IsAddressable() {
		return c.want(appendHeadKey(nil, h), seq, head{p, h.ID()}.appendTo(nil))
	}
	return nil
}

// want checks that a key is there with a value; nil is any value, and a brief may be
// missing.
func (c *checker) want(key []byte, seq subject.Seq, value []byte) error {
	c.keys[key[0]]++
	b, closer, err := c.snap.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		c.problem("log entry %d: key %x is not in keyspace %c", seq, key, key[0])
		return nil
	}
	if err != nil {
		return err
	}
	brief := key[0] == spaceAll || key[0] == spaceTag
	if value != nil && !bytes.Equal(b, value) && !(brief && len(b) == 0) {
		c.problem("log entry %d: key %x has the value %x, not %x", seq, key, b, value)
	}
	return closer.Close()
}

// checkSeqs checks that the log is dense.
func (c *checker) checkSeqs() {
	missing := uint64(0)
	for s := subject.Seq(1); s <= c.rep.Head; s++ {
		switch present, removed := c.present.has(s), c.removed.has(s); {
		case present && removed:
			c.problem("log entry %d is there and is named as removed", s)
		case !present && !removed:
			missing++
		}
	}
	for _, s := range c.stubs {
		if !c.removed.has(s) { // it never held an event
			missing--
		}
	}
	if missing != c.rep.Forgotten {
		c.problem("%d Seqs are missing, the state counts %d ephemeral entries dropped", missing, c.rep.Forgotten)
	}
}

// checkIndex checks that an index holds nothing but what the events account
// for. As each event's keys are there and are its own, counting is enough; where
// the count is wrong, each key is followed to its event.
func (c *checker) checkIndex(space byte) error {
	found := uint64(0)
	if err := c.each(space, func(_, _ []byte) error { found++; return nil }); err != nil {
		return err
	}
	c.rep.IndexKeys += found
	if found == c.keys[space] {
		return nil
	}
	c.problem("keyspace %c has %d keys, the events account for %d", space, found, c.keys[space])
	return c.each(space, func(key, value []byte) error {
		seq, ok := seqOfKey(key, value)
		if !ok {
			c.problem("keyspace %c: malformed key %x", space, key)
		} else if seq == 0 || seq > c.rep.Head || !c.present.has(seq) {
			c.problem("keyspace %c: key %x names log entry %d, which holds no event", space, key, seq)
		}
		return nil
	})
}

// seqOfKey returns the Seq that an index key leads to.
func seqOfKey(key, value []byte) (subject.Seq, bool) {
	b := key[1:]
	if key[0] == spaceID || key[0] == spaceHead {
		b = value[:min(len(value), 8)]
	}
	if len(b) < 8 {
		return 0, false
	}
	return subject.Seq(binary.BigEndian.Uint64(b[len(b)-8:])), true
}

func (c *checker) checkEphemeral() error {
	found := uint64(0)
	if err := c.each(spaceEphemeral, func(_, _ []byte) error { found++; return nil }); err != nil {
		return err
	}
	if found != c.keys[spaceEphemeral] {
		c.problem("keyspace %c has %d keys for %d entries", spaceEphemeral, found, c.keys[spaceEphemeral])
	}
	return nil
}
