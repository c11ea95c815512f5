package monitor

import "unsafe"

// list is a list within a record: most have one item, which stands in the record
// itself; of longer ones it holds the ref of the block that they are in. T is one
// word or two, without pointers. The zero list is empty.
type list[T any] struct {
	n   uint32
	one T // the item if n is 1; begins with the ref of the block if there are more
}

func (l *list[T]) block() *ref { return (*ref)(unsafe.Pointer(&l.one)) }

// items returns the list, which holds until it is changed.
func (l *list[T]) items(a *arena) []T {
	switch l.n {
	case 0:
		return nil
	case 1:
		return unsafe.Slice(&l.one, 1)
	}
	return unsafe.Slice(view[T](a, *l.block()), l.n)
}

// room returns the whole block of a list of more than one.
func (l *list[T]) room(a *arena) []T {
	words := a.at(*l.block())
	return unsafe.Slice((*T)(unsafe.Pointer(&words[0])), len(words)*wordBytes/int(unsafe.Sizeof(l.one)))
}

// sized makes the list, which is empty, one of n zero items, and returns them.
func (l *list[T]) sized(a *arena, n int) []T {
	if n > 1 {
		*l.block() = a.alloc(n * int(unsafe.Sizeof(l.one)) / wordBytes)
	}
	l.n = uint32(n)
	return l.items(a)
}

// add appends an item and returns its place.
func (l *list[T]) add(a *arena, item T) uint32 {
	switch {
	case l.n == 0:
		l.one = item
	case l.n == 1 || int(l.n) == len(l.room(a)):
		l.move(a, int(l.n)+int(l.n)/4+1)
		fallthrough
	default:
		l.room(a)[l.n] = item
	}
	l.n++
	return l.n - 1
}

// cut removes the i-th item by moving the last one there, and returns that; false
// if it was the last one itself.
func (l *list[T]) cut(a *arena, i uint32) (moved T, _ bool) {
	all := l.items(a)
	last := l.n - 1
	moved, all[i] = all[last], all[last]
	switch {
	case last == 0:
	case last == 1:
		one := all[0]
		a.release(*l.block())
		l.one = one
	case last >= 16 && int(last) < len(l.room(a))/2:
		l.n = last
		l.move(a, int(last)+int(last)/4)
	}
	l.n = last
	return moved, i != last
}

// move gives the list a block with room for so many items.
func (l *list[T]) move(a *arena, items int) {
	old := l.items(a)
	r := a.alloc(items * int(unsafe.Sizeof(l.one)) / wordBytes)
	words := a.at(r)
	copy(unsafe.Slice((*T)(unsafe.Pointer(&words[0])), items), old)
	if l.n > 1 {
		a.release(*l.block())
	}
	*l.block() = r
}

// clear frees what the list has.
func (l *list[T]) clear(a *arena) {
	if l.n > 1 {
		a.release(*l.block())
	}
	*l = list[T]{}
}
