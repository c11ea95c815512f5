package store

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

// TestIndexBatch sets and deletes few keys in any order, several times in one batch,
// and compares with a map.
func TestIndexBatch(t *testing.T) {
	s := openMem(t, Options{})
	rng := rand.New(rand.NewPCG(1, 1))
	want := map[string]string{}
	var b indexBatch
	for round := range 200 {
		batch := s.db.NewBatch()
		for n := range rng.IntN(40) {
			// Some differ in their first 8 bytes, some behind them.
			key := fmt.Sprintf("test%04d%04d", rng.IntN(3), rng.IntN(3))
			if rng.IntN(3) == 0 {
				b.delete([]byte(key))
				delete(want, key)
			} else {
				value := fmt.Sprint(round, n)
				b.set([]byte(key), []byte(value))
				want[key] = value
			}
		}
		if err := b.moveTo(batch); err != nil {
			t.Fatal(err)
		}
		if b.len() != 0 {
			t.Fatal("it is not empty when all is moved")
		}
		if err := batch.Commit(pebble.Sync); err != nil {
			t.Fatal(err)
		}
		it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte("test"), UpperBound: []byte("tesu")})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for ok := it.First(); ok; ok = it.Next() {
			got[string(it.Key())] = string(it.Value())
		}
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(got, want) {
			t.Fatalf("round %d: found %v, want %v", round, got, want)
		}
	}
}
