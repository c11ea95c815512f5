package monitor

import (
	"math/bits"
	"unsafe"
)

// arena holds the records of the stage: blocks of words in pages without pointers,
// named by 32-bit refs. A million subscriptions are some thousand objects to Go's
// collector, of which it reads nothing, and a ref is half a pointer.
//
// A page has blocks of one size, and goes when its last block is freed. A block
// never moves: what at and view return holds until it is freed. The zero arena is
// ready; it belongs to one goroutine, and whoever fills it stays below maxHeld.
type arena struct {
	pages   []page             // the page of a ref by its high bits; page 0 is none
	bases   []unsafe.Pointer   // where their words are: less to read than pages
	partial [sizeClasses]int32 // a page of the class with room, the head of a list; 0: none
	vacant  []int32            // numbers of pages that are gone
	spare   [][]uint32         // memory of pages that are gone
	held    int                // bytes of all pages that are not gone
}

// ref names a block; none is 0.
type ref uint32

const (
	unitWords = 2 // blocks are multiples of 8 bytes, and so aligned
	unitBits  = 11
	pageUnits = 1 << unitBits // 16 KB
	pageWords = pageUnits * unitWords
	// Larger blocks have a page each, of their own size.
	maxShared   = 512 // units
	sizeClasses = 16 + 5*8
	maxSpare    = 64 // pages
	wordBytes   = 4
	maxPages    = 1 << (32 - unitBits)
)

// maxHeld is for how many bytes the numbers of pages suffice, even if each page is a
// block of its own and as small as such can be.
const maxHeld = maxPages * maxShared * unitWords * wordBytes

type page struct {
	words      []uint32
	units      uint16 // of a block; 0: the page is one block
	class      uint8
	used       uint16 // blocks
	fresh      uint16 // units from here on have never been a block
	free       uint16 // 1 + first unit of a free block, whose first word continues so
	prev, next int32  // in the list of the class's pages with room
}

// classOf returns the class of blocks that hold so many units, and their size:
// exact up to 16 units, then eight sizes to a doubling.
func classOf(units int) (class, size int) {
	if units <= 16 {
		return units - 1, units
	}
	shift := bits.Len(uint(units-1)) - 4
	steps := (units + 1<<shift - 1) >> shift
	return 16 + 8*(shift-1) + steps - 9, steps << shift
}

// alloc returns a block of at least so many words, all zero.
func (a *arena) alloc(words int) ref {
	units := max(1, (words+unitWords-1)/unitWords)
	if units > maxShared {
		n := a.add(page{words: make([]uint32, units*unitWords), used: 1})
		a.held += units * unitWords * wordBytes
		return ref(n) << unitBits
	}
	class, size := classOf(units)
	n := a.partial[class]
	if n == 0 {
		n = a.add(page{words: a.memory(), units: uint16(size), class: uint8(class)})
		a.link(n)
	}
	p := &a.pages[n]
	p.used++
	var unit uint16
	if p.free != 0 {
		unit = p.free - 1
		block := p.words[int(unit)*unitWords:][:size*unitWords]
		p.free = uint16(block[0])
		block[0] = 0 // and so are the others since it was freed
	} else {
		unit = p.fresh
		p.fresh += uint16(size)
	}
	if !p.room() {
		a.unlink(n)
	}
	return ref(n)<<unitBits | ref(unit)
}

// release frees a block.
func (a *arena) release(r ref) {
	n := int32(r >> unitBits)
	p := &a.pages[n]
	if p.used--; p.used == 0 {
		if p.units != 0 && p.room() {
			a.unlink(n)
		}
		a.drop(n)
		return
	}
	linked := p.room()
	unit := uint16(r & (pageUnits - 1))
	block := p.words[int(unit)*unitWords:][:int(p.units)*unitWords]
	clear(block)
	block[0] = uint32(p.free)
	p.free = unit + 1
	if !linked {
		a.link(n)
	}
}

// at returns the words of a block, all that it has room for.
func (a *arena) at(r ref) []uint32 {
	p := &a.pages[r>>unitBits]
	if p.units == 0 {
		return p.words
	}
	from := int(r&(pageUnits-1)) * unitWords
	return p.words[from : from+int(p.units)*unitWords]
}

// view returns a block as a record that begins it. T has no pointers.
func view[T any](a *arena, r ref) *T {
	return (*T)(unsafe.Add(a.bases[r>>unitBits], uintptr(r&(pageUnits-1))*unitWords*wordBytes))
}

// each calls visit for every block, the freed ones between them included, whose
// words are zero but for the first. In between nothing is allocated or freed.
func (a *arena) each(visit func(ref)) {
	for n := range a.pages {
		for p, unit := &a.pages[n], 0; unit < int(p.fresh); unit += int(p.units) {
			visit(ref(n)<<unitBits | ref(unit))
		}
	}
}

func (p *page) room() bool { return p.free != 0 || int(p.fresh)+int(p.units) <= pageUnits }

// add gives a page a number.
func (a *arena) add(p page) (n int32) {
	if last := len(a.vacant) - 1; last >= 0 {
		n, a.vacant = a.vacant[last], a.vacant[:last]
	} else {
		n = int32(max(1, len(a.pages)))
		a.pages = append(a.pages, make([]page, int(n)+1-len(a.pages))...)
		a.bases = append(a.bases, make([]unsafe.Pointer, int(n)+1-len(a.bases))...)
	}
	a.pages[n], a.bases[n] = p, unsafe.Pointer(unsafe.SliceData(p.words))
	return n
}

func (a *arena) memory() []uint32 {
	a.held += pageWords * wordBytes
	if last := len(a.spare) - 1; last >= 0 {
		m := a.spare[last]
		a.spare[last], a.spare = nil, a.spare[:last]
		return m
	}
	return make([]uint32, pageWords)
}

// drop lets a page go.
func (a *arena) drop(n int32) {
	p := &a.pages[n]
	a.held -= len(p.words) * wordBytes
	if p.units != 0 && len(a.spare) < maxSpare {
		clear(p.words)
		a.spare = append(a.spare, p.words)
	}
	*p, a.bases[n] = page{}, nil
	a.vacant = append(a.vacant, n)
}

func (a *arena) link(n int32) {
	p := &a.pages[n]
	p.prev, p.next = 0, a.partial[p.class]
	if p.next != 0 {
		a.pages[p.next].prev = n
	}
	a.partial[p.class] = n
}

func (a *arena) unlink(n int32) {
	p := &a.pages[n]
	if p.prev != 0 {
		a.pages[p.prev].next = p.next
	} else {
		a.partial[p.class] = p.next
	}
	if p.next != 0 {
		a.pages[p.next].prev = p.prev
	}
	p.prev, p.next = 0, 0
}
