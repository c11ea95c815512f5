package ingester

import (
	"sync"
	"sync/atomic"

	"rhea/proto/nostr"
)

// check is one signature to verify, for all the frames of a batch that brought
// the same event.
type check struct {
	key    fingerprint
	id     nostr.EventID
	pubkey nostr.PubKey
	sig    nostr.Sig
	valid  bool // the outcome
}

// verifier reports whether sig is pubkey's signature of msg. It is called by
// several goroutines.
type verifier func(pubkey *[32]byte, msg []byte, sig *[64]byte) bool

// verifyAll settles every check with up to the given number of goroutines, of
// which the caller is one, and returns when all are settled. A single check
// wakes nobody.
func verifyAll(verify verifier, checks []*check, goroutines int) {
	var next atomic.Int64
	work := func() {
		for {
			i := next.Add(1) - 1
			if i >= int64(len(checks)) {
				return
			}
			c := checks[i]
			c.valid = verify((*[32]byte)(&c.pubkey), c.id[:], (*[64]byte)(&c.sig))
		}
	}
	var wg sync.WaitGroup
	for range min(goroutines, len(checks)) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}
