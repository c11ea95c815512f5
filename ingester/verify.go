package ingester

import (
	"sync"
	"sync/atomic"

	"rhea/proto/schnorr"
	"rhea/proto/subject"
)

// pile is signatures that wait to be verified, those with the same index belonging
// together.
type pile struct {
	sigs []schnorr.Signature
	good []bool // the outcome
	from []origin
}

// origin is whose frame brought a signature first, and the fingerprint of what it
// signs.
type origin struct {
	conn     subject.ConnID
	imported bool
	key      fingerprint
}

func (p *pile) add(s schnorr.Signature, from origin) (index int) {
	p.sigs, p.good, p.from = append(p.sigs, s), append(p.good, false), append(p.from, from)
	return len(p.sigs) - 1
}

func (p *pile) clear() { p.sigs, p.good, p.from = p.sigs[:0], p.good[:0], p.from[:0] }

// A piece is what one goroutine verifies at a time, for less than one by one. Larger
// ones gain little; smaller ones, to keep more processors busy, cost more in all.
const (
	fullPiece  = schnorr.MaxBatch
	smallPiece = 32
)

// verifier settles signatures; schnorr.Verifier is one. It belongs to one goroutine.
type verifier interface {
	VerifyBatch(sigs []schnorr.Signature, ok []bool)
}

// crew verifies with several goroutines. It belongs to the one that calls settle.
type crew struct {
	newWorker func() verifier
	workers   []verifier
	pieces    []piece
	next      atomic.Int64 // of the pieces
}

type piece struct {
	sigs []schnorr.Signature
	good []bool
}

// settle verifies the signatures of two piles, the one together and those of the
// other one by one, with up to the given number of goroutines, of which the
// caller is one. A single piece wakes nobody.
func (w *crew) settle(together, alone *pile, goroutines int) {
	w.cut(together, alone, goroutines)
	var others sync.WaitGroup
	for i := 1; i < min(goroutines, len(w.pieces)); i++ {
		v := w.worker(i)
		others.Go(func() { w.work(v) })
	}
	w.work(w.worker(0))
	others.Wait()
}

// cut makes the pieces.
func (w *crew) cut(together, alone *pile, goroutines int) {
	w.pieces = w.pieces[:0]
	w.next.Store(0)
	n := len(together.sigs)
	count := max((n+fullPiece-1)/fullPiece, min(goroutines, n/smallPiece), 1)
	for from := 0; from < n; count-- {
		to := from + (n-from+count-1)/count
		w.pieces = append(w.pieces, piece{together.sigs[from:to], together.good[from:to]})
		from = to
	}
	for i := range alone.sigs {
		w.pieces = append(w.pieces, piece{alone.sigs[i : i+1], alone.good[i : i+1]})
	}
}

// work verifies pieces until none is left.
func (w *crew) work(v verifier) {
	for {
		i := w.next.Add(1) - 1
		if i >= int64(len(w.pieces)) {
			return
		}
		v.VerifyBatch(w.pieces[i].sigs, w.pieces[i].good)
	}
}

func (w *crew) worker(i int) verifier {
	for len(w.workers) <= i {
		w.workers = append(w.workers, w.newWorker())
	}
	return w.workers[i]
}
