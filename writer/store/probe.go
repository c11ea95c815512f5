package store

import (
	"bytes"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"rhea/proto/nostr"
)

// maxProbes is how many kinds a filter may have for each entry of a tag to be looked
// up under each of them, and maxProbing how many filters of a query may: each kind
// of each takes an iterator.
const (
	maxProbes  = 4
	maxProbing = 4
)

// prober tells for the entries that a tag leads to whether they are of certain
// kinds, without reading their events: the same entry is in the kind index, or is
// not. Entries are asked about in the order of keys or its reverse, so that most
// look-ups end in the block of the one before. It decides the counts that NIP-45
// is about, such as followers (#p and kind 3), where most of what names a key is of
// another kind.
type prober struct {
	kinds []nostr.Kind
	its   []*pebble.Iterator // one for each kind
	key   []byte
}

// canProbe reports whether the kind is all that an access to f leaves open.
func canProbe(f *nostr.Filter, a access) bool {
	return a.index == spaceTag && len(f.Tags) == 1 && f.Authors == nil && f.Kinds != nil && len(f.Kinds) <= maxProbes
}

func newProber(snap *pebble.Snapshot, kinds []nostr.Kind) (*prober, error) {
	p := &prober{kinds: kinds}
	for range kinds {
		it, err := snap.NewIter(within(spaceKind))
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
		p.its = append(p.its, it)
	}
	return p, nil
}

// has reports whether an entry is of one of the kinds.
func (p *prober) has(s suffix) (bool, error) {
	for i, it := range p.its {
		p.key = s.appendTo(appendKind(p.key[:0], p.kinds[i]))
		if it.SeekGE(p.key) && bytes.Equal(it.Key(), p.key) {
			return true, nil
		}
		if err := it.Error(); err != nil {
			return false, err
		}
	}
	return false, nil
}

func (p *prober) close() (err error) {
	for _, it := range p.its {
		err = errors.Join(err, it.Close())
	}
	return err
}
