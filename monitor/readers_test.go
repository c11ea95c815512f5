package monitor

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"

	"rhea/proto/nostr"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
)

// Kinds that the tests have for private, and what that means.
var privateKinds = policy.Kinds{4, 7, 1059, 9735}

func maySee(h nostr.Header, keys [][]byte) bool {
	if !slices.Contains(privateKinds, h.Kind()) {
		return true
	}
	for _, key := range keys {
		if nostr.PubKey(key) == h.PubKey() {
			return true
		}
		for name, value := range h.Tags() {
			if name == 'p' && value == nostr.PackedTagValue([32]byte(key)) {
				return true
			}
		}
	}
	return false
}

// someKeys returns up to two keys of parties to private events.
func someKeys(r *rand.Rand, events []*nostr.Event) (keys [][]byte) {
	for range r.IntN(3) {
		e := events[r.IntN(len(events))]
		for !slices.Contains(privateKinds, e.Kind) {
			e = events[r.IntN(len(events))]
		}
		key := e.PubKey
		for _, tag := range e.Tags {
			if pk, err := nostr.ParsePubKey(tag[min(1, len(tag)-1)]); tag[0] == "p" && err == nil {
				key = pk
			}
		}
		keys = append(keys, key[:])
	}
	return keys
}

// expiring has one event of four expire at a random time of a span of seconds.
func expiring(entries []*relaypb.Entry, r *rand.Rand, from, span int64) {
	const offExpiration = 76 // in a nostr.Header
	for _, e := range entries {
		if len(e.Header) > 0 && r.IntN(4) == 0 {
			binary.BigEndian.PutUint64(e.Header[offExpiration:], uint64(from+r.Int64N(span)))
		}
	}
}

// less returns the wanted Seqs without those of events that have expired at a time
// and were not got.
func less(want, got []uint64, entries []*relaypb.Entry, now int64) []uint64 {
	return slices.DeleteFunc(slices.Clone(want), func(seq uint64) bool {
		_, has := slices.BinarySearch(got, seq)
		return !has && expired(entries, seq, now)
	})
}

// expired says whether the event of a Seq has expired at a time.
func expired(entries []*relaypb.Entry, seq uint64, now int64) bool {
	i, _ := slices.BinarySearchFunc(entries, seq, bySeq)
	h := nostr.Header(entries[i].Header)
	at := h.Expiration()
	return at != 0 && at <= now && (h.Kind() < 20000 || h.Kind() >= 30000)
}
