package deflate

import "hash/maphash"

// Runs makes the runs of events that are sent more than once, and remembers those of
// the last ones. An event that has been sent once is remembered by a mark: to compress
// what nobody asks for again costs more than to send it as it is. Not safe for
// concurrent use.
type Runs struct {
	packer Packer
	bound  int // bytes of each of the generations
	seeds  [2]maphash.Seed

	// What is found in the old generation moves into the young one, which becomes the
	// old one when it is full: so what is asked for stays, at the cost of no list.
	young, old map[key]entry
	size       int // bytes of the young generation
	scratch    []byte
}

// key stands for the JSON of an event. Nobody outside knows the seeds, so nobody can
// make two events with the same one.
type key [2]uint64

// entry is a run; empty when it would not be shorter; nil when the event has been sent
// once.
type entry []byte

// maxRun is how long an event may be for it to be compressed: what is longer would
// hold up all that the caller has to do.
const maxRun = 64 << 10

// entryBytes is what an entry takes beside its run.
const entryBytes = 64

// NewRuns remembers up to bound bytes of runs, which is at least 256 KiB.
func NewRuns(bound int) *Runs {
	return &Runs{bound: bound / 2, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, young: make(map[key]entry)}
}

// Of returns the run of an event that is about to be sent to a connection, nil when it
// is to be sent as it is. The run is not to be changed.
func (r *Runs) Of(json []byte) []byte {
	if len(json) > maxRun {
		return nil
	}
	k := key{maphash.Bytes(r.seeds[0], json), maphash.Bytes(r.seeds[1], json)}
	run, young := r.young[k]
	sent := young
	if !young {
		run, sent = r.old[k]
	}
	made := false
	if run == nil && sent {
		packed, _ := r.packer.Run(r.scratch[:0], json)
		r.scratch = packed[:0]
		run, made = append(entry{}, packed...), true
	}
	if !young || made {
		r.put(k, run)
	}
	if len(run) == 0 {
		return nil
	}
	return run
}

func (r *Runs) put(k key, run entry) {
	size := entryBytes + len(run)
	if r.size+size > r.bound {
		r.old, r.young, r.size = r.young, make(map[key]entry), 0
	}
	if before, there := r.young[k]; there {
		r.size -= entryBytes + len(before)
	}
	r.young[k] = run
	r.size += size
}
