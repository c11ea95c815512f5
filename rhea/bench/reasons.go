package bench

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// reasons counts what a relay gives as reasons. It is safe for concurrent use.
type reasons struct {
	mu     sync.Mutex
	counts map[string]int
}

// maxReasons bounds how many different ones are kept: a text may name an event.
const maxReasons = 50

func (r *reasons) add(text string) {
	if text == "" {
		text = "no reason given"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = make(map[string]int)
	}
	if _, known := r.counts[text]; !known && len(r.counts) >= maxReasons {
		text = "other reasons"
	}
	r.counts[text]++
}

// after is the three most frequent behind some words, or nothing when there are none.
func (r *reasons) after(words string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	texts := slices.SortedFunc(maps.Keys(r.counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.counts[b], r.counts[a]), cmp.Compare(a, b))
	})
	if len(texts) == 0 {
		return ""
	}
	var parts []string
	for _, t := range texts[:min(3, len(texts))] {
		parts = append(parts, fmt.Sprintf("%d× %s", r.counts[t], t))
	}
	return words + strings.Join(parts, ", ")
}
