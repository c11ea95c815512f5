package monitor

// table finds records of an arena by the hash of what they are called. It grows and
// shrinks by a bucket at a time (linear hashing: Litwin, 1980), so that none of a
// million registrations waits for all others to be put in new places. Every record
// begins with a link.
type table struct {
	arena   *arena
	heads   [][]ref // the buckets, in pages
	buckets uint32
	count   int
}

// link is what a table knows of a record.
type link struct {
	next ref
	hash uint32
}

const (
	headBits = 10
	headPage = 1 << headBits
)

// first returns the first record of a bucket in which those with this hash are.
// The caller goes through it by next, and compares.
func (t *table) first(hash uint32) ref {
	if t.buckets == 0 {
		return 0
	}
	return *t.head(t.bucket(hash))
}

// next returns the record after r in its bucket and 0 after the last one.
func (t *table) next(r ref) ref { return view[link](t.arena, r).next }

// insert adds a record that is not in the table.
func (t *table) insert(r ref, hash uint32) {
	if t.count++; t.count > int(t.buckets) {
		t.grow()
	}
	view[link](t.arena, r).hash = hash
	t.push(r)
}

// remove takes a record out.
func (t *table) remove(r ref) {
	l := view[link](t.arena, r)
	at := t.head(t.bucket(l.hash))
	for *at != r {
		at = &view[link](t.arena, *at).next
	}
	*at = l.next
	if t.count--; t.count == 0 {
		t.heads, t.buckets = nil, 0
	}
	for t.count < int(t.buckets/2) {
		t.shrink()
	}
}

// bytes is the memory of the buckets.
func (t *table) bytes() int { return len(t.heads) * headPage * wordBytes }

// bucket returns the bucket of a hash: its low bits, as many as it takes to tell
// buckets apart, less one if that bucket is not there yet.
func (t *table) bucket(hash uint32) uint32 {
	low := lowBits(t.buckets)
	if b := hash & low; b < t.buckets {
		return b
	}
	return hash & (low >> 1)
}

// lowBits is the least number of only ones that is not below n-1.
func lowBits(n uint32) uint32 {
	low := n - 1
	for shift := 1; shift < 32; shift *= 2 {
		low |= low >> shift
	}
	return low
}

func (t *table) head(bucket uint32) *ref { return &t.heads[bucket>>headBits][bucket&(headPage-1)] }

func (t *table) push(r ref) {
	l := view[link](t.arena, r)
	head := t.head(t.bucket(l.hash))
	l.next, *head = *head, r
}

// grow adds a bucket and gives it what is its own of another one.
func (t *table) grow() {
	if t.buckets%headPage == 0 {
		t.heads = append(t.heads, make([]ref, headPage))
	}
	added := t.buckets
	t.buckets++
	if added > 0 {
		t.redo(added & (lowBits(added+1) >> 1))
	}
}

// shrink gives what the last bucket has to another one, and removes it.
func (t *table) shrink() {
	last := t.head(t.buckets - 1)
	list := *last
	*last = 0
	t.buckets--
	t.spread(list)
	if t.buckets%headPage == 0 {
		t.heads[len(t.heads)-1] = nil
		t.heads = t.heads[:len(t.heads)-1]
	}
}

// redo puts the records of a bucket where they belong now.
func (t *table) redo(bucket uint32) {
	head := t.head(bucket)
	list := *head
	*head = 0
	t.spread(list)
}

func (t *table) spread(list ref) {
	for list != 0 {
		r := list
		list = t.next(r)
		t.push(r)
	}
}
