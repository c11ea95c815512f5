package store

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"rhea/proto/nostr"
)

// What is newest is known of what was found, moves with what is committed, and is not
// learned from a view that something has been committed since.
func TestNewest(t *testing.T) {
	n := newNewest(1) // one set
	is := func(what string, hash uint64, want int64) {
		t.Helper()
		if at, known := n.bound(hash, 20); !known || at != want {
			t.Errorf("%s: %d, %v", what, at, known)
		}
	}
	if _, known := n.bound(1, 20); known {
		t.Error("something is known of nothing")
	}
	n.learn(1, 50, 10)
	is("as found", 1, 50)
	n.commit(1, 40, 11)
	is("an older one came", 1, 50)
	n.commit(1, 60, 12)
	is("a newer one came", 1, 60)
	n.learn(1, 50, 11)
	is("found in an older view", 1, 60)
	n.learn(1, 55, 12)
	is("the newest has gone", 1, 55)
	if _, known := n.bound(1, 11); known {
		t.Error("it is known for a view that may have what has gone")
	}
	n.commit(2, 70, 13)
	n.learn(2, 30, 12)
	if _, known := n.bound(2, 20); known {
		t.Error("found before the newest came")
	}
	n.learn(2, 70, 13)
	is("found with it", 2, 70)
	for hash := uint64(3); hash < 3+newestWays-1; hash++ {
		n.learn(hash, int64(hash), 13)
	}
	if _, known := n.bound(1, 20); known {
		t.Error("what was found longest ago is still known")
	}
	is("what was found after it", 2, 70)
}

func madeBy(author byte, kind nostr.Kind, at int64, content string) *nostr.Event {
	e := made(0, kind, at, content)
	e.PubKey = nostr.PubKey{author}
	return e
}

// Feeds are the same whatever is known of their authors, in views old and new, while
// events come and go.
func TestFeedsWhileEventsComeAndGo(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	s := openMem(t, Options{})
	const authors = 30
	kinds := []nostr.Kind{1, 6, 10002}
	type past struct {
		view   *View
		events []*nostr.Event
	}
	var views []past
	known := 0
	for round := range 400 {
		var batch []Incoming
		for i := range 1 + rng.IntN(3) {
			e := madeBy(byte(rng.IntN(authors)), kinds[rng.IntN(len(kinds))], 1000+int64(round/2)-int64(rng.IntN(200)*rng.IntN(2)), fmt.Sprint(round, i))
			if all := stored(t, s); len(all) > 0 && rng.IntN(3) == 0 {
				gone := all[len(all)-1-rng.IntN(min(len(all), 20))]
				e = made(0, 5, int64(2000+round), fmt.Sprint(round, i), nostr.Tag{"e", gone.ID.String()})
				e.PubKey = gone.PubKey
			}
			e.ID = e.ComputeID()
			batch = append(batch, incomingOf(e))
		}
		commit(t, s, batch...)
		v, err := s.View()
		if err != nil {
			t.Fatal(err)
		}
		views = append(views, past{v, stored(t, s)})
		if len(views) > 4 {
			if err := views[0].view.Close(); err != nil {
				t.Fatal(err)
			}
			views = views[1:]
		}
		for range 3 {
			p := views[rng.IntN(len(views))]
			f := nostr.Filter{Limit: 1 + rng.IntN(8)}
			for range minAwait + rng.IntN(authors) {
				f.Authors = append(f.Authors, madeBy(byte(rng.IntN(authors+3)), 1, 1, "").PubKey)
			}
			if rng.IntN(3) > 0 {
				f.Kinds = append(f.Kinds, kinds[:1+rng.IntN(len(kinds))]...)
			}
			if rng.IntN(4) == 0 {
				f.HasSince, f.Since = true, 900+int64(rng.IntN(300))
			}
			if rng.IntN(4) == 0 {
				f.HasUntil, f.Until = true, 900+int64(rng.IntN(300))
			}
			f.Sort()
			filters := []nostr.Filter{f}
			var got [][]byte
			for req := (ScanRequest{Filters: filters, Everything: true, MaxRows: rng.IntN(5), MaxTime: time.Hour}); ; {
				res, err := p.view.Scan(req)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, res.Events...)
				if res.Done {
					break
				}
				req.Cursor, req.AsOf = res.Cursor, res.AsOf
			}
			diff(t, fmt.Sprintf("round %d, %s", round, filtersJSON(filters)), got, expect(p.events, filters, false))
			for _, pk := range f.Authors {
				if _, found := s.newest.bound(s.newest.hash(appendAuthor(nil, pk)), p.view.seq); found {
					known++
				}
			}
		}
	}
	for _, p := range views {
		if err := p.view.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if known == 0 {
		t.Error("nothing was ever known")
	}
}

// A feed that is asked for again seeks those who wrote lately, and nobody else.
func TestFeedSeeksWhatIsNew(t *testing.T) {
	s := openMem(t, Options{})
	f := nostr.Filter{Kinds: []nostr.Kind{1, 6}, Limit: 5}
	var batch []Incoming
	for i := range 200 {
		for _, kind := range []nostr.Kind{1, 3} {
			e := madeBy(byte(i), kind, int64(1000+i), "")
			e.ID = e.ComputeID()
			batch = append(batch, incomingOf(e))
		}
		f.Authors = append(f.Authors, nostr.PubKey{byte(i)})
	}
	f.Sort()
	commit(t, s, batch...)
	seeks := func() (n int) {
		withView(t, s, func(v *View) {
			q, err := v.newQuery(&ScanRequest{Filters: []nostr.Filter{f}})
			if err == nil {
				err = q.run()
			}
			if err != nil || len(q.res.Events) != 5 {
				t.Fatal(len(q.res.Events), err)
			}
			stats := q.merge.reader.it.Stats()
			n = stats.ForwardSeekCount[0]
			if err := q.close(); err != nil {
				t.Fatal(err)
			}
		})
		return n
	}
	if first, again := seeks(), seeks(); first < 200 || again > 12 {
		t.Errorf("%d seeks, then %d", first, again)
	}
}
