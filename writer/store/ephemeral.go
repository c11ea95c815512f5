package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"rhea/proto/nostr"
	"rhea/proto/subject"
)

// maxRecent bounds how many ephemeral ids are remembered; beyond it the oldest
// are forgotten early, and such an event sent again gets a second Seq.
const maxRecent = 1 << 15

// maxExpire bounds how many ephemeral entries one Expire drops.
const maxExpire = 1000

// recent remembers which ephemeral events came in the last EphemeralKeep.
type recent struct {
	ids   map[nostr.EventID]heardOf
	queue []passing   // oldest first
	first subject.Seq // no ephemeral entry is before this one
}

// heardOf is how an event came the last time.
type heardOf struct {
	at    int64 // as in passing
	asker subject.Instance
	num   uint64
}

// has reports whether an event has come and been passed on. One whose asker wants
// to know who hears it has not, if it is asked anew: the last time nobody may have
// heard it, and its author was told so.
func (r *recent) has(in *Incoming, now time.Time, keep time.Duration) bool {
	r.forget(now, keep)
	last, ok := r.ids[in.Header.ID()]
	return ok && (in.Asker == 0 || in.Asker == last.asker && in.Num == last.num)
}

func (r *recent) forget(now time.Time, keep time.Duration) {
	n := 0
	for n < len(r.queue) && (r.queue[n].expired(now, keep) || len(r.queue)-n > maxRecent) {
		if p := r.queue[n]; r.ids[p.id].at == p.at {
			delete(r.ids, p.id)
		}
		n++
	}
	r.queue = r.queue[n:]
}

// expired reports whether more than keep lies between now and when p was
// committed, in either direction: a clock that was set back must not make what
// came before that, and all that came since and stands behind it, stay for hours.
func (p passing) expired(now time.Time, keep time.Duration) bool {
	d := now.UnixMilli() - p.at
	return d > keep.Milliseconds() || -d > keep.Milliseconds()
}

func (r *recent) add(p passing, asker subject.Instance, num uint64) {
	r.ids[p.id] = heardOf{p.at, asker, num}
	r.queue = append(r.queue, p)
}

// openRecent restores the memory of ephemeral events from their keyspace.
func (w *writer) openRecent() error {
	w.recent = recent{ids: make(map[nostr.EventID]heardOf)}
	it, err := w.s.db.NewIter(within(spaceEphemeral))
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		p, err := decodePassing(it.Value())
		if err != nil {
			return errors.Join(err, it.Close())
		}
		w.recent.add(p, 0, 0)
		w.recent.forget(w.s.opt.Now(), w.s.opt.EphemeralKeep)
	}
	return it.Close()
}

// passOn gives an ephemeral event a Seq and an entry in the log, unless it has
// just had one: an ingester that got no answer sends it again.
func (w *writer) passOn(in *Incoming) (Verdict, error) {
	now := w.s.opt.Now()
	p := passing{now.UnixMilli(), in.Header.ID()}
	switch {
	case w.recent.has(in, now, w.s.opt.EphemeralKeep):
		return verdictEphemeral, nil
	case w.pending.full:
		return verdictFull, nil
	}
	seq, err := w.append(logValue{header: in.Header, json: in.JSON})
	if err != nil {
		return Verdict{}, err
	}
	w.recent.add(p, in.Asker, in.Num)
	entry := w.pending.entries[len(w.pending.entries)-1]
	entry.Asker, entry.Num = uint32(in.Asker), in.Num
	w.buf = p.appendTo(appendSeqKey(w.buf[:0], spaceEphemeral, seq))
	return verdictEphemeral, w.pending.batch.Set(w.buf[:seqKeyLen], w.buf[seqKeyLen:], nil)
}

// Expire drops the log entries of ephemeral events that are older than
// EphemeralKeep, or from as far in the future, 1000 at most, and reports whether more
// are left. It does not wait for the disk, and readers see it with the next commit. It
// belongs to the goroutine that calls Commit.
func (s *Store) Expire(now time.Time) (more bool, err error) {
	if err := s.Err(); err != nil {
		return false, err
	}
	if more, err = s.w.expire(now); err != nil {
		return false, s.fail(fmt.Errorf("store %s: dropping ephemeral entries: %w", s.dir, err))
	}
	return more, nil
}

func (w *writer) expire(now time.Time) (more bool, err error) {
	o := within(spaceEphemeral)
	// Without this every call would wade through the tombstones of those before.
	o.LowerBound = appendSeqKey(nil, spaceEphemeral, w.recent.first)
	it, err := w.s.db.NewIter(o)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	b := w.s.db.NewBatch()
	dropped := 0
	for ok := it.First(); ok; ok = it.Next() {
		p, err := decodePassing(it.Value())
		if err != nil {
			return false, errors.Join(err, b.Close())
		}
		seq := subject.Seq(binary.BigEndian.Uint64(it.Key()[1:]))
		w.recent.first = seq
		if !p.expired(now, w.s.opt.EphemeralKeep) {
			break
		}
		if more = dropped == maxExpire; more {
			break
		}
		if err := errors.Join(b.Delete(it.Key(), nil), b.Delete(appendSeqKey(nil, spaceLog, seq), nil)); err != nil {
			return false, errors.Join(err, b.Close())
		}
		dropped++
	}
	if err := it.Error(); err != nil || dropped == 0 {
		return false, errors.Join(err, b.Close())
	}
	w.forgotten += uint64(dropped)
	return more, errors.Join(b.Set(metaState, w.state.appendTo(nil), nil), b.Commit(pebble.NoSync), b.Close())
}

// within returns the options of an iterator over one keyspace.
func within(space byte) *pebble.IterOptions {
	return &pebble.IterOptions{LowerBound: []byte{space}, UpperBound: []byte{space + 1}}
}
