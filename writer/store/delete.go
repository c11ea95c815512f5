package store

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"rhea/proto/nostr"
)

// delete carries out a deletion request (NIP-09), as far as its author may ask for
// it, and stores it. What is not stored now is refused when it comes later. Where
// that makes more than one piece of the batch, what goes with a piece has its entry
// there.
func (w *writer) delete(in *Incoming) (Verdict, error) {
	var gone []removed
	for name, value := range in.Header.Tags() {
		var r removed
		var err error
		switch name {
		case 'e':
			r, err = w.deleteID(value, in.Header)
		case 'a':
			r, err = w.deleteAddress(value, in.Header)
		}
		if err != nil {
			return Verdict{}, err
		}
		if r.seq != 0 {
			gone = append(gone, r)
		}
		if !w.large() {
			continue
		}
		if err := w.appendRemovals(gone); err != nil {
			return Verdict{}, err
		}
		if err := w.relieve(); err != nil {
			return Verdict{}, err
		}
		gone = nil
	}
	_, err := w.add(in, gone)
	return verdictNew, err
}

// deleteID deletes the event of an e tag. It returns what it has removed, Seq 0 if
// nothing.
func (w *writer) deleteID(target nostr.TagValue, request nostr.Header) (removed, error) {
	b, packed := target.Packed()
	if !packed {
		return removed{}, nil
	}
	id, signer := nostr.EventID(b), request.PubKey()
	p, err := w.place(id)
	if err != nil {
		return removed{}, err
	}
	if p.seq != 0 {
		if may, err := w.mayDelete(signer, id, p); err != nil || !may {
			return removed{}, err
		}
	}
	_, err = w.tombstones.raise(w.pending.batch, appendDeletedID(nil, id, signer), request.CreatedAt())
	if err != nil || p.seq == 0 {
		return removed{}, err
	}
	return w.remove(p.seq)
}

// mayDelete is the function of that name for the event stored at p. It reads no
// events but asks the indexes, because one request can name thousands of others'
// events, or one of them thousands of times, and each may be large.
func (w *writer) mayDelete(signer nostr.PubKey, id nostr.EventID, p place) (bool, error) {
	if v, ok := w.pending.values[p.seq]; ok {
		return mayDelete(signer, v.header), nil
	}
	s := suffix{invert(p.createdAt), binary.BigEndian.Uint64(id[:8]), p.seq}
	own, err := w.indexed(appendAuthor(nil, signer), s)
	switch {
	case err != nil:
		return false, err
	case own:
		for _, kind := range []nostr.Kind{kindDeletion, kindVanish} {
			if is, err := w.indexed(appendKind(nil, kind), s); err != nil || is {
				return false, err
			}
		}
		return true, nil
	}
	if is, err := w.indexed(appendKind(nil, kindGiftWrap), s); err != nil || !is {
		return false, err
	}
	return w.indexed(appendTag(nil, 'p', nostr.PackedTagValue(signer)), s)
}

// mayDelete reports whether a deletion request of signer that names the id of h has
// an effect. tombstones.forbid decides the same of what arrives.
func mayDelete(signer nostr.PubKey, h nostr.Header) bool {
	switch h.Kind() {
	case kindDeletion, kindVanish:
		return false
	case kindGiftWrap:
		for name, value := range h.Tags() {
			if b, packed := value.Packed(); name == 'p' && packed && nostr.PubKey(b) == signer {
				return true
			}
		}
	}
	return h.PubKey() == signer
}

// deleteAddress deletes the version that is stored under the address of an a tag,
// unless it is newer than the request.
func (w *writer) deleteAddress(target nostr.TagValue, request nostr.Header) (removed, error) {
	key, ok := addressOf(target, request.PubKey())
	if !ok {
		return removed{}, nil
	}
	until := request.CreatedAt()
	if _, err := w.tombstones.raise(w.pending.batch, appendDeletedAddress(nil, key), until); err != nil {
		return removed{}, err
	}
	old, err := w.headOf(key)
	if err != nil || old.seq == 0 || old.createdAt > until {
		return removed{}, err
	}
	return w.remove(old.seq)
}

// addressOf returns the head key of the address in an a tag, kind:pubkey:d, if it
// is one of owner's. The d value is all behind the second colon, and empty for a
// replaceable kind.
func addressOf(target nostr.TagValue, owner nostr.PubKey) (head []byte, ok bool) {
	kind, rest, ok := bytes.Cut(target.Raw(), []byte{':'})
	if _, packed := target.Packed(); packed || !ok {
		return nil, false
	}
	pubkey, d, ok := bytes.Cut(rest, []byte{':'})
	if !ok || string(pubkey) != hex.EncodeToString(owner[:]) {
		return nil, false
	}
	n, err := strconv.ParseUint(string(kind), 10, 16)
	if err != nil {
		return nil, false
	}
	k := nostr.Kind(n)
	if !k.IsAddressable() && (!k.IsReplaceable() || len(d) > 0) {
		return nil, false
	}
	return appendAddress(nil, owner, k, nostr.NewTagValue(string(d))), true
}
