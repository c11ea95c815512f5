package monitor

import (
	"rhea/proto/subject"
)

// watch is a live subscription. It waits until it has been served up to the
// position of the log, and then is live.
type watch struct {
	link
	num     uint64
	after   subject.Seq // it wants, still lacks or, live, has not been sent yet, what lies behind
	filters list[membership]
	keys    ref    // of its reader: a block of their number and their terms; 0: none
	gateway uint16 // by slot
	shard   subject.Shard
	state   watchState
}

type watchState uint8

const (
	waiting watchState = iota + 1
	live
	gone
)

const watchWords = 12

// membership is one filter of a watch and, when live, the watch's place among
// those that have it.
type membership struct {
	filter ref
	at     uint32
}

// watches is the set of all watches, by gateway and number. Their arena has
// nothing else, so that going through all of them is reading it from end to end.
type watches struct {
	arena *arena
	table table
}

func newWatches() watches {
	a := new(arena)
	return watches{arena: a, table: table{arena: a}}
}

func (ws *watches) at(r ref) *watch { return view[watch](ws.arena, r) }

// add makes a watch, which waits.
func (ws *watches) add(slot uint16, num uint64) ref {
	r := ws.arena.alloc(watchWords)
	w := ws.at(r)
	w.gateway, w.num, w.state = slot, num, waiting
	ws.table.insert(r, watchHash(slot, num))
	return r
}

// find returns the watch that a gateway has given a number, 0 if there is none.
func (ws *watches) find(slot uint16, num uint64) ref {
	for r := ws.table.first(watchHash(slot, num)); r != 0; {
		w := ws.at(r)
		if w.num == num && w.gateway == slot {
			return r
		}
		r = w.next
	}
	return 0
}

// watchHash needs no secret: numbers are counted by the gateways.
func watchHash(slot uint16, num uint64) uint32 {
	h := (num ^ uint64(slot)<<48) * 0x9e3779b97f4a7c15
	return uint32((h ^ h>>29) * 0xbf58476d1ce4e5b9 >> 32)
}

// each visits all watches, in no order. None is added or dropped meanwhile.
func (ws *watches) each(visit func(ref, *watch)) {
	ws.arena.each(func(r ref) {
		if w := ws.at(r); w.state == waiting || w.state == live {
			visit(r, w)
		}
	})
}

// those returns the watches that are picked.
func (ws *watches) those(pick func(*watch) bool) (list []ref) {
	ws.each(func(r ref, w *watch) {
		if pick(w) {
			list = append(list, r)
		}
	})
	return list
}

// bytes is the memory of all watches.
func (ws *watches) bytes() int { return ws.arena.held + ws.table.bytes() }
