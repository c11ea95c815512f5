package store

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// writer is what the goroutine that commits owns: the state of the store, and of
// the batch in work what is not yet to be found in Pebble.
type writer struct {
	state
	s       *Store
	recent  recent
	buf     []byte
	pending pending
}

// pending is what the batch in work has done so far.
type pending struct {
	full    bool // the disk is: nothing may be added to the batch
	batch   *pebble.Batch
	entries []*relaypb.Entry
	ids     map[nostr.EventID]place // added, or with Seq 0 removed
	heads   map[string]head         // set
	values  map[subject.Seq]logValue
}

func (w *writer) open(s *Store) error {
	w.s = s
	b, err := s.get(metaState, 24)
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if w.state, err = decodeState(b); err != nil {
		return err
	}
	w.pending.ids = make(map[nostr.EventID]place)
	w.pending.heads = make(map[string]head)
	w.pending.values = make(map[subject.Seq]logValue)
	return w.openRecent()
}

// commit fills in the verdicts of c and applies what follows from them.
func (w *writer) commit(c *Commit, incoming []Incoming, full bool) (err error) {
	p := &w.pending
	p.full, p.batch, p.entries = full, w.s.db.NewBatch(), nil
	clear(p.ids)
	clear(p.heads)
	clear(p.values)
	for i := range incoming {
		if c.Verdicts[i], err = w.decide(&incoming[i]); err != nil {
			return errors.Join(err, p.batch.Close())
		}
	}
	if len(p.entries) == 0 {
		return p.batch.Close()
	}
	if err := w.setState(); err != nil {
		return err
	}
	if err := w.s.db.ApplyNoSyncWait(p.batch, pebble.Sync); err != nil {
		return err
	}
	c.batch, c.snap, c.entries = p.batch, w.s.db.NewSnapshot(), p.entries
	return nil
}

func (w *writer) setState() error {
	w.buf = w.state.appendTo(w.buf[:0])
	return w.pending.batch.Set(metaState, w.buf, nil)
}

// decide gives the verdict on one event and carries it out. What is already
// stored comes before the signature: the id binds all that the signature signs.
func (w *writer) decide(in *Incoming) (Verdict, error) {
	h := in.Header
	switch p, err := w.place(h.ID()); {
	case err != nil:
		return Verdict{}, err
	case p.seq != 0:
		return verdictDuplicate, nil
	}
	kind := h.Kind()
	switch {
	case in.Forged:
		return verdictForged, nil
	case kind.IsEphemeral():
		return w.passOn(in)
	case kind.IsReplaceable() || kind.IsAddressable():
		return w.replace(in)
	case w.pending.full:
		return verdictFull, nil
	}
	_, err := w.add(in, nil)
	return verdictNew, err
}

// replace stores an event of which only the newest version is kept, unless a
// newer one is there.
func (w *writer) replace(in *Incoming) (Verdict, error) {
	key := appendHeadKey(nil, in.Header)
	old, err := w.headOf(key)
	if err != nil {
		return Verdict{}, err
	}
	next := head{place{createdAt: in.Header.CreatedAt()}, in.Header.ID()}
	var gone []removed
	switch {
	case old.seq != 0 && old.beats(next):
		return verdictReplaced, nil
	case w.pending.full:
		return verdictFull, nil
	case old.seq != 0:
		if err := w.remove(old.seq); err != nil {
			return Verdict{}, err
		}
		gone = []removed{{old.seq, old.id}}
	}
	if next.seq, err = w.add(in, gone); err != nil {
		return Verdict{}, err
	}
	w.pending.heads[string(key)] = next
	return verdictNew, w.pending.batch.Set(key, next.appendTo(nil), nil)
}

// add gives the event a Seq, a log entry and its index keys.
func (w *writer) add(in *Incoming, gone []removed) (subject.Seq, error) {
	b, h := w.pending.batch, in.Header
	seq, err := w.append(logValue{gone, h, in.JSON})
	if err != nil {
		return 0, err
	}
	p := place{seq, h.CreatedAt()}
	w.pending.ids[h.ID()] = p
	w.buf = p.appendTo(appendIDKey(w.buf[:0], h.ID()))
	n := len(w.buf) - placeLen
	if err := b.Set(w.buf[:n], w.buf[n:], nil); err != nil {
		return 0, err
	}
	w.events++
	return seq, eachIndexKey(h, seq, func(key []byte) error { return b.Set(key, nil, nil) })
}

// append writes the next entry of the log.
func (w *writer) append(v logValue) (subject.Seq, error) {
	w.head++
	seq := w.head
	w.pending.entries = append(w.pending.entries, entryOf(seq, v))
	w.pending.values[seq] = v
	return seq, w.setLog(seq, v)
}

func (w *writer) setLog(seq subject.Seq, v logValue) error {
	w.buf = appendLogValue(appendSeqKey(w.buf[:0], spaceLog, seq), v)
	return w.pending.batch.Set(w.buf[:seqKeyLen], w.buf[seqKeyLen:], nil)
}

// remove takes a stored event out of the log and out of every index but the
// heads, which are its caller's. The entry that says so is its caller's too. If
// its own entry removed something, that is kept, so that no follower that is
// behind it misses a removal.
func (w *writer) remove(seq subject.Seq) error {
	v, err := w.value(seq)
	if err != nil {
		return err
	}
	b := w.pending.batch
	err = eachIndexKey(v.header, seq, func(key []byte) error { return b.Delete(key, nil) })
	if err != nil {
		return err
	}
	w.pending.ids[v.header.ID()] = place{}
	if err := b.Delete(appendIDKey(nil, v.header.ID()), nil); err != nil {
		return err
	}
	w.events--
	stub := logValue{removed: v.removed}
	w.pending.values[seq] = stub
	if len(v.removed) > 0 {
		return w.setLog(seq, stub)
	}
	return b.Delete(appendSeqKey(nil, spaceLog, seq), nil)
}

// place returns where the event with this id is stored, Seq 0 if it is not.
func (w *writer) place(id nostr.EventID) (place, error) {
	if p, ok := w.pending.ids[id]; ok {
		return p, nil
	}
	return placeOf(w.s.db, id)
}

// headOf returns the stored version of an address, Seq 0 if there is none.
func (w *writer) headOf(key []byte) (head, error) {
	if h, ok := w.pending.heads[string(key)]; ok {
		return h, nil
	}
	b, closer, err := w.s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return head{}, nil
	}
	if err != nil {
		return head{}, err
	}
	h, err := decodeHead(b)
	return h, errors.Join(err, closer.Close())
}

// value returns the log value of a stored event, in memory of its own.
func (w *writer) value(seq subject.Seq) (logValue, error) {
	if v, ok := w.pending.values[seq]; ok {
		return v, nil
	}
	b, closer, err := w.s.db.Get(appendSeqKey(nil, spaceLog, seq))
	if err != nil {
		return logValue{}, fmt.Errorf("log entry %d: %w", seq, err)
	}
	v, err := decodeLogValue(append([]byte(nil), b...))
	if err == nil && len(v.header) == 0 {
		err = fmt.Errorf("log entry %d holds no event", seq)
	}
	return v, errors.Join(err, closer.Close())
}
