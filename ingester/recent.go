package ingester

// recent remembers what was added or met last, in two generations: when the young
// one holds half of what may be remembered, it becomes the old one and the old one
// is forgotten. What is met in the old one moves to the young one.
type recent[K comparable] struct {
	half       int // 0: nothing is remembered
	young, old map[K]struct{}
}

func newRecent[K comparable](most int) *recent[K] {
	return &recent[K]{half: (most + 1) / 2, young: make(map[K]struct{}), old: make(map[K]struct{})}
}

// has reports whether k is remembered.
func (r *recent[K]) has(k K) bool {
	if _, ok := r.young[k]; ok {
		return true
	}
	_, ok := r.old[k]
	if ok {
		r.add(k)
	}
	return ok
}

// add remembers k.
func (r *recent[K]) add(k K) {
	if r.half == 0 {
		return
	}
	if len(r.young) >= r.half {
		clear(r.old)
		r.young, r.old = r.old, r.young
	}
	r.young[k] = struct{}{}
}

// size is how much is remembered, counting twice what stands in both generations.
func (r *recent[K]) size() int { return len(r.young) + len(r.old) }
