package negentropy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"rhea/proto/nostr"
)

// pair is two sets that share items.
type pair struct {
	server, client []Item
	have, need     []nostr.EventID // sorted
}

// deal deals items to the client alone, the server alone, or both.
func deal(rng *rand.Rand, items []Item, clientOnly, serverOnly float64) (p pair) {
	for _, i := range items {
		switch x := rng.Float64(); {
		case x < clientOnly:
			p.client = append(p.client, i)
			p.have = append(p.have, i.ID)
		case x < clientOnly+serverOnly:
			p.server = append(p.server, i)
			p.need = append(p.need, i.ID)
		default:
			p.client = append(p.client, i)
			p.server = append(p.server, i)
		}
	}
	slices.SortFunc(p.have, nostr.EventID.Compare)
	slices.SortFunc(p.need, nostr.EventID.Compare)
	return p
}

// run reconciles until the client is done.
func (p pair) run(t testing.TB, clientMax, serverMax int) {
	t.Helper()
	server := NewSlice(slices.Clone(p.server))
	c := NewClient(NewSlice(slices.Clone(p.client)), clientMax)
	msg := c.Open()
	for turn, done := 0, false; !done; turn++ {
		if clientMax > 0 && len(msg) > clientMax {
			t.Fatalf("the client says %d bytes, more than %d", len(msg), clientMax)
		}
		reply, err := Respond(nil, server, msg, serverMax)
		if err != nil {
			t.Fatalf("turn %d: the server: %v", turn, err)
		}
		if serverMax > 0 && len(reply) > serverMax {
			t.Fatalf("the server says %d bytes, more than %d", len(reply), serverMax)
		}
		if msg, done, err = c.Next(msg[:0], reply); err != nil {
			t.Fatalf("turn %d: the client: %v", turn, err)
		}
		if turn > 10+len(p.server)+len(p.client) {
			t.Fatalf("not done after %d turns", turn)
		}
	}
	have, need := sorted(c.Have), sorted(c.Need)
	if !slices.Equal(have, p.have) || !slices.Equal(need, p.need) {
		t.Fatalf("found %d and %d, want %d and %d", len(have), len(need), len(p.have), len(p.need))
	}
	if serverMax == 0 && (len(have) != len(c.Have) || len(need) != len(c.Need)) {
		t.Fatalf("%d ids were found twice", len(c.Have)+len(c.Need)-len(have)-len(need))
	}
}

func sorted(ids []nostr.EventID) []nostr.EventID {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, nostr.EventID.Compare)
	return slices.Compact(ids)
}

// TestSync: whatever two sets are, the client learns exactly the differences,
// and no message is longer than it may be.
func TestSync(t *testing.T) {
	seed := rand.Uint64()
	for _, n := range []int{0, 1, 31, 32, 33, 300, 5000} {
		for _, seconds := range []int64{1, 10, 1_000_000} {
			for _, differ := range [][2]float64{{0, 0}, {.01, .01}, {0, .02}, {.02, 0}, {.5, .2}, {1, 0}, {0, 1}, {.5, .5}} {
				for _, limit := range [][2]int{{0, 0}, {0, MinSize}, {MinSize, 0}, {MinSize, MinSize}, {20000, 9000}} {
					name := fmt.Sprintf("%d items/%d seconds/differ %v/limits %v", n, seconds, differ, limit)
					t.Run(name, func(t *testing.T) {
						rng := seeded(t, seed)
						deal(rng, distinct(random(rng, n, seconds)), differ[0], differ[1]).run(t, limit[0], limit[1])
					})
				}
			}
		}
	}
}

// TestSyncOne: one item of many is found, wherever it is and whoever has it.
func TestSyncOne(t *testing.T) {
	rng := seeded(t, rand.Uint64())
	items := NewSlice(distinct(random(rng, 3000, 500))).items
	for range 20 {
		i := rng.IntN(len(items))
		rest := slices.Delete(slices.Clone(items), i, i+1)
		pair{server: items, client: rest, need: []nostr.EventID{items[i].ID}}.run(t, 0, MinSize)
		pair{server: rest, client: items, have: []nostr.EventID{items[i].ID}}.run(t, 0, 0)
	}
}

// TestSyncStretches: what only one side has lies together, so that whole ranges
// are empty on the other side and messages are cut near the end of a set.
func TestSyncStretches(t *testing.T) {
	rng := seeded(t, rand.Uint64())
	for range 60 {
		var p pair
		var all []Item
		for i := range int64(1 + rng.IntN(12)) {
			stretch := random(rng, 1+rng.IntN(400), 50)
			for j := range stretch {
				stretch[j].CreatedAt += 50 * i
			}
			from := len(all)
			all = distinct(append(all, stretch...))
			stretch = all[from:]
			who := rng.IntN(3)
			q := deal(rng, stretch, float64(who&1), float64(who>>1))
			p.server, p.client = append(p.server, q.server...), append(p.client, q.client...)
			p.have, p.need = append(p.have, q.have...), append(p.need, q.need...)
		}
		p.have, p.need = sorted(p.have), sorted(p.need)
		p.run(t, MinSize*rng.IntN(3), MinSize*rng.IntN(3))
	}
}

// TestDroppedRange: the end of an answer covers the range that did not fit. The
// client has nothing there, so a fingerprint of what the server has after that
// range, which is nothing as well, would end the session without it.
func TestDroppedRange(t *testing.T) {
	rng := seeded(t, rand.Uint64())
	items := NewSlice(distinct(random(rng, 140, 1000))).items
	client := NewSlice(nil)
	w := newWriter(nil, client, 0)
	w.ids(0, 0, Just(items[119]))
	w.finish(0)
	reply, err := Respond(nil, NewSlice(slices.Clone(items)), w.buf, MinSize)
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(client, 0)
	if _, done, err := c.Next(nil, reply); done || err != nil || len(c.Need) != 119 {
		t.Fatalf("done %t, %v, %d found in the first answer", done, err, len(c.Need))
	}
}

// TestAppend: what dst holds already is neither counted nor touched.
func TestAppend(t *testing.T) {
	set := NewSlice(random(seeded(t, 1), 1000, 10))
	msg := NewClient(NewSlice(nil), 0).Open()
	alone, err := Respond(nil, set, msg, MinSize)
	if err != nil {
		t.Fatal(err)
	}
	for _, dst := range [][]byte{[]byte("before"), make([]byte, 5000)} {
		both, err := Respond(slices.Clone(dst), set, msg, MinSize)
		if err != nil || !slices.Equal(both, append(dst, alone...)) {
			t.Errorf("after %d bytes the answer is another one: %v", len(dst), err)
		}
	}
}

// TestVersion: a server names the version it speaks, and a client gives up.
func TestVersion(t *testing.T) {
	for v := range 256 {
		msg := []byte{byte(v), 0xff, 0xff}
		reply, err := Respond(nil, NewSlice(nil), msg, 0)
		_, done, clientErr := NewClient(NewSlice(nil), 0).Next(nil, msg)
		switch {
		case done || clientErr == nil:
			t.Errorf("version %#x: the client goes on", v)
		case v == Version && err == nil:
			t.Errorf("version %#x: no error", v)
		case v != Version && (err != nil || string(reply) != "\x61"):
			t.Errorf("version %#x: %x, %v", v, reply, err)
		}
	}
	if _, err := Respond(nil, NewSlice(nil), nil, 0); err == nil {
		t.Error("an empty message is answered")
	}
}
