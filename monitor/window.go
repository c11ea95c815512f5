package monitor

import (
	"sort"
	"unsafe"

	"rhea/proto/nostr"
	"rhea/proto/subject"
)

// commit is an event of the log.
type commit struct {
	seq     subject.Seq
	header  nostr.Header
	json    []byte
	parties nostr.Parties // to one of a private kind, who alone may see it; else nil

	// What it takes of the bus message that header and json are pieces of. That goes with
	// the last of its commits, so one that has left the store takes it still.
	pins int

	// The gateway that wants to know who has heard it, 0: none, and under which number.
	asker subject.Instance
	num   uint64
}

func (c *commit) size() int {
	return c.pins + len(c.parties)*len(nostr.PubKey{}) + int(unsafe.Sizeof(*c))
}

// gone says whether the event has left the store since.
func (c *commit) gone() bool { return len(c.header) == 0 }

// window is the recent part of the log, bounded by bytes and by count. It holds
// all commits of the Seqs from start up to, not including, next.
type window struct {
	maxBytes, maxCount int

	start, next subject.Seq
	commits     []commit // from head on, ascending
	head        int
	bytes       int
}

// reset empties the window at a position.
func (w *window) reset(next subject.Seq) {
	clear(w.commits)
	*w = window{maxBytes: w.maxBytes, maxCount: w.maxCount, start: next, next: next, commits: w.commits[:0]}
}

// push adds a commit, whose Seq is not below next, and drops the oldest ones that
// no longer fit.
func (w *window) push(c commit) {
	w.commits = append(w.commits, c)
	w.bytes += c.size()
	w.next = c.seq + 1
	w.shrink()
}

// shrink drops the oldest commits that no longer fit.
func (w *window) shrink() {
	for w.bytes > w.maxBytes || w.len() > w.maxCount {
		oldest := &w.commits[w.head]
		w.bytes -= oldest.size()
		w.start = oldest.seq + 1
		*oldest = commit{}
		w.head++
	}
	if w.head > 64 && w.head > len(w.commits)/2 {
		n := copy(w.commits, w.commits[w.head:])
		clear(w.commits[n:])
		w.commits, w.head = w.commits[:n], 0
	}
}

// resize changes the bounds.
func (w *window) resize(maxBytes, maxCount int) {
	w.maxBytes, w.maxCount = maxBytes, maxCount
	w.shrink()
}

// judge finds out anew who may see each commit.
func (w *window) judge(parties func(nostr.Header) nostr.Parties) {
	for i := w.head; i < len(w.commits); i++ {
		if c := &w.commits[i]; !c.gone() {
			w.bytes -= c.size()
			c.parties = parties(c.header)
			w.bytes += c.size()
		}
	}
	w.shrink()
}

// forget empties a commit whose event has left the store, if the window has it.
func (w *window) forget(seq subject.Seq) {
	i := w.head + sort.Search(w.len(), func(i int) bool { return w.commits[w.head+i].seq >= seq })
	if i < len(w.commits) && w.commits[i].seq == seq {
		w.bytes -= w.commits[i].size()
		w.commits[i] = commit{seq: seq, pins: w.commits[i].pins}
		w.bytes += w.commits[i].size()
	}
}

// advance says that everything below next is known.
func (w *window) advance(next subject.Seq) { w.next = max(w.next, next) }

// covers says whether all commits behind a Seq are in the window.
func (w *window) covers(after subject.Seq) bool { return w.start == 0 || after >= w.start-1 }

// behind returns the commits behind a Seq.
func (w *window) behind(after subject.Seq) []commit {
	all := w.commits[w.head:]
	return all[firstBehind(all, after):]
}

// firstBehind returns the index of the first commit behind a Seq.
func firstBehind(commits []commit, after subject.Seq) int {
	return sort.Search(len(commits), func(i int) bool { return commits[i].seq > after })
}

func (w *window) len() int { return len(w.commits) - w.head }
