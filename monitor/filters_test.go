package monitor

import (
	"math/rand/v2"
	"testing"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
)

// Filters come and go in an index of their own. For every event it finds exactly
// those that nostr.Match finds one by one, each once, and holds says the same of
// those that it does not have; what a filter is read back as is the same filter.
func TestIndexLikeMatch(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	events := nostrtest.Events(t)
	gen := nostrtest.NewFilterGen(seed, events)
	x := newIndex(newFilters())
	type own struct {
		filter nostr.Filter
		users  int
		live   bool
	}
	all := make(map[ref]*own)
	var order []ref
	found, tried := 0, uint64(0)
	for range 6000 {
		switch n := r.IntN(10); {
		case n < 5 || len(order) == 0:
			f := gen.Filter()
			switch r.IntN(8) {
			case 0:
				f = nostr.All()
			case 1:
				f.HasUntil, f.Until = true, events[r.IntN(len(events))].CreatedAt
			case 2:
				f.HasSince, f.Since = true, r.Int64()-r.Int64()
			}
			if f.Impossible() {
				continue
			}
			at := x.intern(f)
			known := all[at]
			if known == nil {
				known = &own{filter: f}
				all[at], order = known, append(order, at)
			}
			if known.users++; !known.live && r.IntN(4) > 0 {
				known.live = true
				x.add(at)
			}
			back := x.read(at)
			if again := x.intern(back); again != at {
				t.Fatalf("%s is read as %s, which is another filter", f.AppendJSON(nil), back.AppendJSON(nil))
			}
			x.release(at)
		case n < 8:
			i := r.IntN(len(order))
			at := order[i]
			known := all[at]
			if known.users--; known.users == 0 {
				if known.live {
					x.remove(at)
				}
				delete(all, at)
				order[i] = order[len(order)-1]
				order = order[:len(order)-1]
			}
			x.release(at)
		default:
			h := nostr.AppendHeader(nil, events[r.IntN(len(events))])
			got := make(map[*liveFilter]int)
			x.match(h, func(f *liveFilter) { got[f]++ })
			for at, known := range all {
				want := known.filter.Match(h)
				if n := got[x.at(at)]; n > 1 || (n == 1) != (want && known.live) || x.holds(at) != want {
					t.Fatalf("%s: found %d times, live %v, holds %v, want %v", known.filter.AppendJSON(nil), n, known.live, x.holds(at), want)
				}
			}
			found += len(got)
			tried += x.tried
			x.tried = 0
		}
	}
	t.Logf("%d filters at the end, %d terms, found %d of %d tried", len(all), x.terms.table.count, found, tried)
	if found < 100 {
		t.Errorf("%d matches: the test tests little", found)
	}
	for at, known := range all {
		if known.live {
			x.remove(at)
		}
		for range known.users {
			x.release(at)
		}
	}
	if left := x.bytes() + x.size + x.terms.table.count; left != 0 {
		t.Errorf("%d bytes, %d postings and %d terms are left", x.bytes(), x.size, x.terms.table.count)
	}
}

// Filters that ask for the same are one, and those that do not are not.
func TestInternSame(t *testing.T) {
	x := newFilters()
	for _, group := range [][]string{
		{`{}`, `{"limit":5}`},
		{`{"kinds":[1,2,3]}`, `{"kinds":[3,2,1,2],"limit":1}`},
		{`{"kinds":[1,2]}`}, {`{"kinds":[1,2,0]}`}, {`{"kinds":[0,1,2,3]}`},
		{`{"since":5}`}, {`{"until":5}`}, {`{"since":5,"until":5}`}, {`{"since":-5}`},
		{`{"authors":["a*"]}`}, {`{"ids":["a*"]}`}, {`{"#p":["a*"]}`}, {`{"#e":["a*"]}`},
		{`{"#x":["a*"]}`}, {`{"#x":["a"]}`}, {`{"#X":["a"]}`},
		{`{"authors":["a*","b*"]}`, `{"authors":["b*","a*","b*"]}`},
		{`{"#e":["a*"],"#p":["b*"]}`, `{"#p":["b*"],"#e":["a*"]}`},
		{`{"#e":["b*"],"#p":["a*"]}`},
		{`{"#t":["a","b"],"#p":["c*"]}`, `{"#p":["c*"],"#t":["b","a"]}`},
		{`{"#t":["ab"],"#p":["c*"]}`},
	} {
		var first ref
		for i, text := range group {
			before := x.table.count
			got := x.intern(parse(t, text))
			if i == 0 {
				first = got
			}
			if got != first || x.table.count-before != map[bool]int{true: 1}[i == 0] {
				t.Errorf("%s is not what its group is, or is what another one is", text)
			}
		}
	}
}
