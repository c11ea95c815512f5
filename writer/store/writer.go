package store

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// writer is what the goroutine that commits owns: the state of the store, and of
// the batch in work what is not yet to be found in Pebble.
type writer struct {
	state
	s          *Store
	recent     recent
	known      known
	tombstones tombstones
	vanishing  vanishing
	sweeper    sweeper
	buf        []byte
	pending    pending
	piece      int // maxPiece but in tests
	more       int // moreKnown but in tests
}

// pending is what the batch in work has done so far.
type pending struct {
	full    bool          // the disk is: nothing may be added to the batch
	cloned  bool          // writer.vanishing is this batch's own
	begun   bool          // Pebble has a piece of it
	batch   *pebble.Batch // the rest
	indexes indexBatch    // of that, what is not in batch yet
	entries []*relaypb.Entry
	ids     map[nostr.EventID]place // added, or with Seq 0 removed
	heads   map[string]head         // set
	values  map[subject.Seq]logValue
}

func (w *writer) open(s *Store) error {
	w.s, w.sweeper, w.piece, w.more = s, sweeper{most: maxRemovals}, maxPiece, moreKnown
	b, err := s.get(metaState, 24)
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if w.state, err = decodeState(b); err != nil {
		return err
	}
	w.tombstones.from = s.db
	if w.vanishing, err = readVanishing(s.db); err != nil {
		return fmt.Errorf("requests to vanish: %w", err)
	}
	return w.openRecent()
}

// moreKnown is how many ids of what was removed the writer knows, at most, beside as many
// as are stored. Each costs memory, and look-ups in vain.
const moreKnown = 1 << 16

// begin starts a batch.
func (w *writer) begin(full bool) {
	w.known.trim(2*int(w.events) + w.more)
	p := &w.pending
	p.indexes.reset()
	*p = pending{full: full, batch: w.s.db.NewBatch(), indexes: p.indexes, ids: reused(p.ids), heads: reused(p.heads), values: reused(p.values)}
	w.tombstones.pending = reused(w.tombstones.pending)
}

// reused returns an empty map. Clearing costs what a map once held, so one that a
// deletion request of thousands has blown up is left to the collector.
func reused[K comparable, V any](m map[K]V) map[K]V {
	if m == nil || len(m) > 4096 {
		return make(map[K]V)
	}
	clear(m)
	return m
}

// decideAll fills a batch with what follows from a list of events.
func (w *writer) decideAll(incoming []Incoming, full bool) (verdicts []Verdict, err error) {
	w.begin(full)
	verdicts = make([]Verdict, len(incoming))
	for i := range incoming {
		if verdicts[i], err = w.decide(&incoming[i]); err == nil && w.large() {
			err = w.relieve()
		}
		if err != nil {
			return nil, errors.Join(err, w.pending.batch.Close())
		}
	}
	return verdicts, nil
}

// maxPiece is the size from which on a batch goes to Pebble in pieces. A small event
// may replace, and a deletion request may name thousands of, events of 20,000 index
// keys each: their removal in one piece would take gigabytes of memory.
const maxPiece = 8 << 20

func (w *writer) large() bool { return w.pending.batch.Len()+w.pending.indexes.len() >= w.piece }

// relieve hands Pebble what the batch holds so far, for the fsync of its last piece
// to make durable too. A crash before that can leave the first pieces of a commit
// that nobody has been told of: each is a store in order.
func (w *writer) relieve() error {
	p := &w.pending
	if err := w.complete(); err != nil {
		return err
	}
	if err := w.s.db.Apply(p.batch, pebble.NoSync); err != nil {
		return err
	}
	applied := p.batch
	p.begun, p.batch = true, w.s.db.NewBatch()
	return applied.Close()
}

// complete makes the batch one that Pebble may have.
func (w *writer) complete() error {
	if err := w.pending.indexes.moveTo(w.pending.batch); err != nil {
		return err
	}
	w.buf = w.state.appendTo(w.buf[:0])
	return w.pending.batch.Set(metaState, w.buf, nil)
}

// decide gives the verdict on one event and carries it out. What is already
// stored comes before the signature: the id binds all that the signature signs.
// What is hidden is not stored any more.
func (w *writer) decide(in *Incoming) (Verdict, error) {
	h := in.Header
	switch p, err := w.place(h.ID()); {
	case err != nil:
		return Verdict{}, err
	case p.seq != 0 && !w.vanishing.covers(h):
		return verdictDuplicate, nil
	case in.Forged:
		return verdictForged, nil
	}
	if v, err := w.tombstones.forbid(h); err != nil {
		return Verdict{}, err
	} else if v != nil {
		return *v, nil
	}
	kind := h.Kind()
	switch {
	case kind.IsEphemeral():
		return w.passOn(in)
	case kind.IsReplaceable() || kind.IsAddressable():
		return w.replace(in)
	case w.pending.full:
		return verdictFull, nil
	case kind == kindDeletion:
		return w.delete(in)
	case kind == kindVanish && in.Vanish:
		return w.vanish(in)
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
		r, err := w.remove(old.seq)
		if err != nil {
			return Verdict{}, err
		}
		gone = []removed{r}
	}
	if next.seq, err = w.add(in, gone); err != nil {
		return Verdict{}, err
	}
	w.pending.heads[string(key)] = next
	return verdictNew, w.pending.batch.Set(key, next.appendTo(nil), nil)
}

// add gives the event a Seq, a log entry and its index keys. The entry says what
// is gone because of it; what is too much for one entry follows in more of them.
func (w *writer) add(in *Incoming, gone []removed) (subject.Seq, error) {
	h := in.Header
	first := min(len(gone), maxRemovals)
	seq, err := w.append(logValue{removed: gone[:first], header: h, json: in.JSON})
	if err != nil {
		return 0, err
	}
	if err := w.appendRemovals(gone[first:]); err != nil {
		return 0, err
	}
	p := place{seq, h.CreatedAt()}
	w.pending.ids[h.ID()] = p
	w.buf = p.appendTo(appendIDKey(w.buf[:0], h.ID()))
	n := len(w.buf) - placeLen
	indexes := &w.pending.indexes
	indexes.set(w.buf[:n], w.buf[n:])
	w.known.add(h.ID())
	w.events++
	w.sweeper.expires(h)
	w.s.newest.commits(h, seq)
	eachIndexKey(h, seq, indexes.set)
	return seq, nil
}

// maxRemovals is how many removals an entry of the log has at most. In a bus
// message they take removedSize each, which is within what the writer leaves of it
// beside an event of the largest size.
const maxRemovals = 500

// appendRemovals appends entries that are nothing but removals.
func (w *writer) appendRemovals(gone []removed) error {
	for some := range slices.Chunk(gone, maxRemovals) {
		if _, err := w.append(logValue{removed: some}); err != nil {
			return err
		}
	}
	return nil
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

// remove takes a stored event out of the log and out of every index. The entry
// that says so is its caller's. If its own entry removed something, that is kept,
// so that no follower that is behind it misses a removal.
func (w *writer) remove(seq subject.Seq) (removed, error) {
	v, err := w.value(seq)
	if err != nil {
		return removed{}, err
	}
	return w.removeValue(seq, v)
}

// removeValue is remove for who has the log value.
func (w *writer) removeValue(seq subject.Seq, v logValue) (removed, error) {
	h := v.header
	r := removed{place{seq, h.CreatedAt()}, h.ID()}
	b, indexes := w.pending.batch, &w.pending.indexes
	eachIndexKey(h, seq, func(key, _ []byte) { indexes.delete(key) })
	w.pending.ids[r.id] = place{}
	w.buf = appendIDKey(w.buf[:0], r.id)
	indexes.delete(w.buf)
	if h.Kind().IsReplaceable() || h.Kind().IsAddressable() {
		key := appendHeadKey(nil, h)
		w.pending.heads[string(key)] = head{}
		if err := b.Delete(key, nil); err != nil {
			return removed{}, err
		}
	}
	w.events--
	stub := logValue{removed: v.removed}
	w.pending.values[seq] = stub
	if len(v.removed) > 0 {
		return r, w.setLog(seq, stub)
	}
	return r, b.Delete(appendSeqKey(nil, spaceLog, seq), nil)
}

// place returns where the event with this id is stored, Seq 0 if it is not.
func (w *writer) place(id nostr.EventID) (place, error) {
	if p, ok := w.pending.ids[id]; ok {
		return p, nil
	}
	if !w.known.may(id) {
		return place{}, nil
	}
	return placeOf(w.s.db, id)
}

// indexed reports whether an index has an entry under a prefix. Those of the batch in
// work may be missing.
func (w *writer) indexed(prefix []byte, s suffix) (bool, error) {
	_, closer, err := w.s.db.Get(s.appendTo(prefix))
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, closer.Close()
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
