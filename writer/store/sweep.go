package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"rhea/proto/nostr"
	"rhea/proto/subject"
)

// maxLooks bounds how many index entries one step of Sweep looks at, to remove their
// events or not, and maxRead how many bytes of events it reads, and with them the
// index keys that it deletes: a large event may have 20,000.
const (
	maxLooks = 2000
	maxRead  = 1 << 20
)

// Vanishing reports whether a request to vanish is still being carried out, so
// that Sweep has work. It belongs to the goroutine that calls Commit.
func (s *Store) Vanishing() bool { return len(s.w.vanishing) > 0 }

// Sweep removes what a request to vanish covers, and events that have expired at
// now (NIP-40): some 500 in one step, fewer if they are large. More says that another
// step is worth while at once. The Commit is waited for like any other; it is nil if
// there was nothing to do. While the disk is full nothing is done, since removing
// takes room before it makes room. It belongs to the goroutine that calls Commit.
//
// A step that a crash has swallowed is done again.
func (s *Store) Sweep(now time.Time) (c *Commit, more bool, err error) {
	if err := s.Err(); err != nil {
		return nil, false, err
	}
	if !s.DiskOK() {
		return nil, false, nil
	}
	more, err = s.w.sweep(now.Unix())
	if err == nil && !s.w.pending.batch.Empty() {
		c, err = s.apply()
	} else {
		err = errors.Join(err, s.w.pending.batch.Close())
	}
	if err != nil {
		return nil, false, s.fail(fmt.Errorf("store %s: sweeping: %w", s.dir, err))
	}
	return c, more, nil
}

// sweeper is what Sweep remembers from step to step, so that no step wades through
// what those before it have removed. A store that is opened begins anew.
type sweeper struct {
	most    int         // how many events one step removes; maxRemovals but in tests
	expired int64       // no event that expires earlier is stored,
	seq     subject.Seq // and none before this one that expires then
	walk    walk
}

// walk is how far a request to vanish has been carried out.
type walk struct {
	author  nostr.PubKey // if it is not begun, whose turn was the last
	begun   bool
	toWraps bool   // the author's own events are done, gift wraps are next
	at      suffix // where it goes on
}

// expires takes note of an event that is stored.
func (s *sweeper) expires(h nostr.Header) {
	if at := h.Expiration(); at != 0 && at < s.expired {
		s.expired, s.seq = at, 0
	}
}

// restart makes the walk for an author begin anew, if it is the one in hand, but when
// the others have had their turn: who asks again and again must not keep them waiting.
func (s *sweeper) restart(author nostr.PubKey) {
	if s.walk.author == author {
		s.walk = walk{author: author}
	}
}

// step is one Sweep. It reads the database, which has all but what the step itself
// has removed.
type step struct {
	w     *writer
	gone  []removed
	looks int
	read  int // bytes of events
}

func (s *step) spent() bool {
	return len(s.gone) >= s.w.sweeper.most || s.looks >= maxLooks || s.read >= maxRead
}

func (w *writer) sweep(now int64) (more bool, err error) {
	w.begin(false)
	s := step{w: w}
	for err == nil && len(w.vanishing) > 0 && !s.spent() {
		err = s.vanish(&w.sweeper.walk)
	}
	if err == nil && !s.spent() {
		err = s.expire(now)
	}
	if err == nil {
		err = w.appendRemovals(s.gone)
	}
	return s.spent(), err
}

// vanish goes on with the request in hand, or with the next.
func (s *step) vanish(on *walk) error {
	if !on.begun {
		author, until, err := s.next(on.author)
		if err != nil {
			return err
		}
		*on = walk{author: author, begun: true, at: suffix{inv: invert(until)}}
	}
	if !on.toWraps {
		if done, err := s.ownEvents(on); err != nil || !done {
			return err
		}
		on.toWraps, on.at = true, suffix{inv: invert(s.w.vanishing[on.author])}
	}
	if done, err := s.giftWraps(on); err != nil || !done {
		return err
	}
	key := appendVanish(nil, spaceVanishing, on.author)
	delete(s.w.ownVanishing(), on.author)
	*on = walk{author: on.author}
	return s.w.pending.batch.Delete(key, nil)
}

// next returns the author with the next higher key of those who are still vanishing, or
// the lowest; there is one. It asks the database, which has them in order: there may
// be very many.
func (s *step) next(last nostr.PubKey) (author nostr.PubKey, until int64, err error) {
	it, err := s.w.s.db.NewIter(within(spaceVanishing))
	if err != nil {
		return author, 0, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	key := append(appendVanish(nil, spaceVanishing, last), 0)
	for _, from := range [][]byte{key, key[:1]} {
		for ok := it.SeekGE(from); ok; ok = it.Next() {
			author = nostr.PubKey(it.Key()[1:])
			if until, waits := s.w.vanishing[author]; waits { // else this step is done with it
				return author, until, nil
			}
		}
	}
	return author, 0, errors.Join(errors.New("a request to vanish has no key"), it.Error())
}

// ownEvents removes the author's events, but not the requests to vanish: they are
// why the rest is gone.
func (s *step) ownEvents(on *walk) (done bool, err error) {
	prefix, kept := appendAuthor(nil, on.author), appendAuthorKind(nil, spaceAuthorKind, on.author, kindVanish)
	it, err := s.w.s.db.NewIter(&pebble.IterOptions{
		LowerBound: on.at.appendTo(slices.Clone(prefix)),
		UpperBound: suffix{math.MaxUint64, math.MaxUint64, math.MaxUint64}.appendTo(slices.Clone(prefix)),
	})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		on.at = parseSuffix(it.Key())
		if s.spent() {
			return false, nil
		}
		s.looks++
		if stays, err := s.w.indexed(kept, on.at); err != nil {
			return false, err
		} else if stays {
			continue
		}
		if err := s.remove(on.at.seq); err != nil {
			return false, err
		}
	}
	return it.Error() == nil, it.Error()
}

// giftWraps removes the gift wraps for the author: what stands in the index of
// their kind and in that of the author's p tags too. Both are in one order, so each
// says how far to skip in the other, and neither an author who is named everywhere
// nor a relay that is full of gift wraps makes it long.
func (s *step) giftWraps(on *walk) (done bool, err error) {
	kind := appendKind(nil, kindGiftWrap)
	tag := appendTag(nil, 'p', nostr.PackedTagValue(on.author))
	it, err := s.w.s.db.NewIter(nil)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	var key []byte
	seek := func(prefix []byte, from suffix) (suffix, bool) {
		key = from.appendTo(append(key[:0], prefix...))
		if !it.SeekGE(key) || !bytes.HasPrefix(it.Key(), prefix) || len(it.Key()) != len(prefix)+suffixLen {
			return suffix{}, false
		}
		return parseSuffix(it.Key()), true
	}
	for !s.spent() {
		s.looks++
		wrap, ok := seek(kind, on.at)
		if !ok {
			return it.Error() == nil, it.Error()
		}
		if on.at, ok = seek(tag, wrap); !ok {
			return it.Error() == nil, it.Error()
		}
		if on.at != wrap {
			continue
		}
		if err := s.remove(wrap.seq); err != nil {
			return false, err
		}
		on.at.seq++
	}
	return false, nil
}

// expire removes what has expired at now.
func (s *step) expire(now int64) (err error) {
	sw := &s.w.sweeper
	if now < sw.expired {
		return nil
	}
	o := within(spaceExpiration)
	o.LowerBound = appendExpirationKey(nil, sw.expired, sw.seq)
	o.UpperBound = appendExpirationKey(nil, now, math.MaxUint64)
	it, err := s.w.s.db.NewIter(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		sw.expired, sw.seq = int64(binary.BigEndian.Uint64(it.Key()[1:])), subject.Seq(binary.BigEndian.Uint64(it.Key()[1+8:]))
		if s.spent() {
			return nil
		}
		s.looks++
		if err := s.remove(sw.seq); err != nil {
			return err
		}
	}
	if err := it.Error(); err != nil {
		return err
	}
	sw.expired, sw.seq = now+1, 0
	return nil
}

// remove removes an event that no other way of this step has led to before.
func (s *step) remove(seq subject.Seq) error {
	if _, twice := s.w.pending.values[seq]; twice {
		return nil
	}
	v, err := s.w.value(seq)
	if err != nil {
		return err
	}
	s.read += len(v.header) + v.jsonLen()
	r, err := s.w.removeValue(seq, v)
	s.gone = append(s.gone, r)
	return err
}
