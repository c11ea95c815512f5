package store

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"rhea/proto/nostr"
	"rhea/proto/subject"
)

// View is what was on disk after one Commit, and stays that whatever is
// committed since. It holds on to disk space, so it is for a slice of a query,
// not for a query. It is safe for concurrent use, except Close.
type View struct {
	s    *Store
	snap *pebble.Snapshot
	seq  subject.Seq
	gone vanishing // what is in snap and must not be seen
	refs int       // guarded by s.viewMu; one of them is the store's while it is current
}

// View returns the newest view. Close it. It fails after Store.Close.
func (s *Store) View() (*View, error) {
	s.viewMu.Lock()
	defer s.viewMu.Unlock()
	if s.view == nil {
		return nil, ErrClosed
	}
	s.view.refs++
	return s.view, nil
}

// Seq returns the last Seq in the view.
func (v *View) Seq() subject.Seq { return v.seq }

// Close gives the view back. It is called once for each Store.View.
func (v *View) Close() error {
	v.s.viewMu.Lock()
	v.refs--
	last := v.refs == 0
	v.s.viewMu.Unlock()
	if !last {
		return nil
	}
	if err := v.snap.Close(); err != nil {
		return fmt.Errorf("store %s: closing a view: %w", v.s.dir, err)
	}
	return nil
}

// hides reports whether anything in the view is hidden. It costs nothing, and
// where it is false hidden need not be asked.
func (v *View) hides() bool { return len(v.gone) > 0 }

// hidden reports whether the stored event of h is one that readers must not see,
// because a request to vanish (NIP-62) covers it that is still being carried out.
func (v *View) hidden(h nostr.Header) bool { return v.gone.covers(h) }

// install makes snap, taken right after seq was committed, the current view.
func (s *Store) install(snap *pebble.Snapshot, seq subject.Seq, gone vanishing) error {
	s.viewMu.Lock()
	old := s.view
	if old == nil {
		s.viewMu.Unlock()
		return snap.Close()
	}
	s.view = &View{s: s, snap: snap, seq: seq, gone: gone, refs: 1}
	s.viewMu.Unlock()
	return old.Close()
}

// place returns where the event with this id is stored, Seq 0 if it is not.
func (v *View) place(id nostr.EventID) (place, error) { return placeOf(v.snap, id) }

// places looks many ids up, which come in ascending order.
type places struct {
	it  *pebble.Iterator
	key []byte
}

func newPlaces(snap *pebble.Snapshot) (*places, error) {
	it, err := snap.NewIter(within(spaceID))
	return &places{it: it}, err
}

// next returns where the event with this id is stored, Seq 0 if it is not.
func (p *places) next(id nostr.EventID) (place, error) {
	p.key = appendIDKey(p.key[:0], id)
	if !p.it.SeekGE(p.key) || !bytes.Equal(p.it.Key(), p.key) {
		return place{}, p.it.Error()
	}
	b, err := p.it.ValueAndErr()
	if err != nil {
		return place{}, err
	}
	return decodePlace(b)
}

// placeOf looks an id up in a snapshot, or in the newest state.
func placeOf(from pebble.Reader, id nostr.EventID) (place, error) {
	var stack [1 + 32]byte
	b, closer, err := from.Get(appendIDKey(stack[:0], id))
	if errors.Is(err, pebble.ErrNotFound) {
		return place{}, nil
	}
	if err != nil {
		return place{}, err
	}
	p, err := decodePlace(b)
	return p, errors.Join(err, closer.Close())
}
