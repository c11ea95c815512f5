package store

import (
	"errors"
	"fmt"
	"maps"

	"github.com/cockroachdb/pebble/v2"

	"rhea/proto/nostr"
)

// The kinds that requests to remove something are about.
const (
	kindDeletion nostr.Kind = 5    // NIP-09
	kindVanish   nostr.Kind = 62   // NIP-62
	kindGiftWrap nostr.Kind = 1059 // NIP-59: belongs to whom it is for
)

// vanishing is the requests to vanish (NIP-62) that are still being carried out:
// for each author the created_at up to which everything goes. One that a view
// has is never changed. The zero value is empty.
type vanishing map[nostr.PubKey]int64

// covers reports whether the event of h goes, or has gone: it is by such an
// author, or a gift wrap for one.
func (v vanishing) covers(h nostr.Header) bool {
	if len(v) == 0 || h.Kind() == kindVanish {
		return false
	}
	if v.reaches(h.PubKey(), h) {
		return true
	}
	if h.Kind() == kindGiftWrap {
		for name, value := range h.Tags() {
			if b, packed := value.Packed(); name == 'p' && packed && v.reaches(nostr.PubKey(b), h) {
				return true
			}
		}
	}
	return false
}

func (v vanishing) reaches(pk nostr.PubKey, h nostr.Header) bool {
	until, ok := v[pk]
	return ok && h.CreatedAt() <= until
}

// readVanishing reads what is still being carried out.
func readVanishing(from pebble.Reader) (vanishing, error) {
	it, err := from.NewIter(within(spaceVanishing))
	if err != nil {
		return nil, err
	}
	v := vanishing{}
	for ok := it.First(); ok; ok = it.Next() {
		until, err := decodeTime(it.Value())
		if err != nil || len(it.Key()) != vanishLen {
			return nil, errors.Join(fmt.Errorf("malformed key %x", it.Key()), err, it.Close())
		}
		v[nostr.PubKey(it.Key()[1:])] = until
	}
	return v, errors.Join(it.Error(), it.Close())
}

// vanish stores a request to vanish. What it covers is hidden from the moment on
// that readers see the commit, and Sweep removes it: an author may have any number
// of events.
func (w *writer) vanish(in *Incoming) (Verdict, error) {
	author, until := in.Header.PubKey(), in.Header.CreatedAt()
	raised, err := w.tombstones.raise(w.pending.batch, appendVanish(nil, spaceVanish, author), until)
	if err != nil {
		return Verdict{}, err
	}
	if raised {
		w.ownVanishing()[author] = until
		w.sweeper.restart(author)
		key := appendVanish(nil, spaceVanishing, author)
		if err := w.pending.batch.Set(key, appendTime(nil, until), nil); err != nil {
			return Verdict{}, err
		}
	}
	_, err = w.add(in, nil)
	return verdictNew, err
}

// ownVanishing returns writer.vanishing for changing: views share what earlier
// batches have left.
func (w *writer) ownVanishing() vanishing {
	if !w.pending.cloned {
		w.vanishing, w.pending.cloned = maps.Clone(w.vanishing), true
	}
	return w.vanishing
}
