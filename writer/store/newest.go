package store

import (
	"hash/maphash"
	"sync"

	"rhea/proto/nostr"
	"rhea/proto/subject"
)

// newest remembers when the newest event of an author, or of an author and kind, is
// dated, of those that are asked for many at a time. A feed of hundreds then seeks only
// those who have written something that is new enough to be in it.
//
// What it says is a bound: nothing is newer, but all may be older, since events go again.
// It costs 20 bytes a value, and forgets what has been found longest ago. It is safe for
// concurrent use; one goroutine calls commits.
type newest struct {
	seed maphash.Seed
	sets []newestSet // a power of two
}

// newestSet holds the values whose hashes lead to it.
type newestSet struct {
	mu      sync.Mutex
	touched subject.Seq // of the last event that has one of these values, known or not
	learned subject.Seq // the head of the newest view from which one was learned
	values  [newestWays]struct {
		hash uint64 // 0: none
		at   int64
	}
}

const (
	newestWays    = 6 // makes a set two cache lines, nearly
	newestSetSize = 8 + 8 + 8 + newestWays*16
	// newestPart is the part of Options.CacheBytes for it: 2 MiB of 96, for 98,000 values.
	newestPart = 48
)

func newNewest(bytes int64) *newest {
	n := 1
	for int64(2*n*newestSetSize) <= bytes {
		n *= 2
	}
	return &newest{seed: maphash.MakeSeed(), sets: make([]newestSet, n)}
}

// hash identifies a value, by what its keys begin with. Two values may share it once in
// 2^64 pairs, and the seed is this process's alone.
func (n *newest) hash(prefix []byte) uint64 { return max(1, maphash.Bytes(n.seed, prefix)) }

func (n *newest) set(hash uint64) *newestSet { return &n.sets[hash>>32&uint64(len(n.sets)-1)] }

// bound returns a time that no event of a value is newer than, in a view with this head.
// It is not known for views so old that they may have what has left since.
func (n *newest) bound(hash uint64, head subject.Seq) (at int64, known bool) {
	s := n.set(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	if head < s.learned {
		return 0, false
	}
	for i := range s.values {
		if s.values[i].hash == hash {
			return s.values[i].at, true
		}
	}
	return 0, false
}

// learn notes that in a view with this head no event of a value is newer. What has been
// committed since may be, and then it is not noted.
func (n *newest) learn(hash uint64, at int64, head subject.Seq) {
	s := n.set(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	if head < s.touched {
		return
	}
	s.learned = max(s.learned, head)
	i := 0
	for i < newestWays-1 && s.values[i].hash != hash {
		i++
	}
	copy(s.values[1:i+1], s.values[:i])
	s.values[0].hash, s.values[0].at = hash, at
}

// commits notes an event, before any view has it.
func (n *newest) commits(h nostr.Header, seq subject.Seq) {
	var stack [1 + 32 + 2]byte
	pk, at := h.PubKey(), h.CreatedAt()
	n.commit(n.hash(appendAuthor(stack[:0], pk)), at, seq)
	n.commit(n.hash(appendAuthorKind(stack[:0], spaceAuthorKind, pk, h.Kind())), at, seq)
}

func (n *newest) commit(hash uint64, at int64, seq subject.Seq) {
	s := n.set(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched = seq
	for i := range s.values {
		if v := &s.values[i]; v.hash == hash {
			v.at = max(v.at, at)
		}
	}
}
