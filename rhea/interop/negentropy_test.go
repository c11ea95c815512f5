package interop

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	gonostr "github.com/nbd-wtf/go-nostr"
	theirs "github.com/nbd-wtf/go-nostr/nip77/negentropy"
	"github.com/nbd-wtf/go-nostr/nip77/negentropy/storage/vector"

	"rhea/proto/negentropy"
	"rhea/proto/nostr"
)

// sets are what two parties hold, and what they must find.
type sets struct {
	server, client []negentropy.Item
	have, need     []string
}

// randomSets makes n items within so many seconds. A stretch of time of each
// party's own is in it, and apart from that the given share of differences.
func randomSets(rng *rand.Rand, n int, seconds int64, differ float64) (s sets) {
	own := [2]int64{rng.Int64N(seconds + 1), rng.Int64N(seconds + 1)}
	for range n {
		var i negentropy.Item
		i.CreatedAt = rng.Int64N(seconds)
		for j := range i.ID {
			i.ID[j] = byte(rng.Uint32())
		}
		away := rng.Float64() < differ
		switch side := rng.IntN(2); {
		case side == 0 && (away || i.CreatedAt == own[0]):
			s.client = append(s.client, i)
			s.have = append(s.have, i.ID.String())
		case side == 1 && (away || i.CreatedAt == own[1]):
			s.server = append(s.server, i)
			s.need = append(s.need, i.ID.String())
		default:
			s.client = append(s.client, i)
			s.server = append(s.server, i)
		}
	}
	slices.Sort(s.have)
	slices.Sort(s.need)
	return s
}

func theirSet(items []negentropy.Item) *vector.Vector {
	v := vector.New()
	for _, i := range items {
		v.Insert(gonostr.Timestamp(i.CreatedAt), i.ID.String())
	}
	v.Seal()
	return v
}

// server answers a message.
type server func(msg []byte) ([]byte, error)

func ourServer(items []negentropy.Item, limit int) server {
	set := negentropy.NewSlice(slices.Clone(items))
	return func(msg []byte) ([]byte, error) { return negentropy.Respond(nil, set, msg, limit) }
}

func theirServer(items []negentropy.Item, limit int) server {
	set := theirSet(items)
	return func(msg []byte) ([]byte, error) {
		reply, err := theirs.New(set, limit).Reconcile(hex.EncodeToString(msg))
		if err != nil {
			return nil, err
		}
		return hex.DecodeString(reply)
	}
}

// theirClient runs a session and returns what their client found.
func theirClient(t *testing.T, items []negentropy.Item, limit int, ask server) (have, need []string) {
	c := theirs.New(theirSet(items), limit)
	havec, needc := collect(c.Haves), collect(c.HaveNots)
	msg := c.Start()
	for turns := 0; msg != ""; turns++ {
		reply, err := ask(unhex(t, msg))
		if err != nil {
			t.Fatalf("the server: %v", err)
		}
		if msg, err = c.Reconcile(hex.EncodeToString(reply)); err != nil {
			t.Fatalf("the client: %v", err)
		}
		if turns > 10*len(items)+1000 {
			t.Fatal("the session does not end")
		}
	}
	return <-havec, <-needc
}

// collect returns what comes until the channel is closed, sorted, each once.
func collect(c chan string) <-chan []string {
	out := make(chan []string, 1)
	go func() {
		seen := map[string]bool{}
		for id := range c {
			seen[id] = true
		}
		out <- slices.Sorted(maps.Keys(seen))
	}()
	return out
}

// ourClient runs a session and returns what our client found. A session whose
// first message is given is one of a client that is somewhere in the middle.
func ourClient(t *testing.T, items []negentropy.Item, limit int, first []byte, ask server) (have, need []string) {
	c := negentropy.NewClient(negentropy.NewSlice(slices.Clone(items)), limit)
	if first == nil {
		first = c.Open()
	}
	msg := first
	for turns, done := 0, false; !done; turns++ {
		reply, err := ask(msg)
		if err != nil {
			t.Fatalf("the server: %v", err)
		}
		if msg, done, err = c.Next(nil, reply); err != nil {
			t.Fatalf("the client: %v", err)
		}
		if turns > 10*len(items)+1000 {
			t.Fatal("the session does not end")
		}
	}
	return texts(c.Have), texts(c.Need)
}

func texts(ids []nostr.EventID) []string {
	seen := map[string]bool{}
	for _, id := range ids {
		seen[id.String()] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// everySet calls f with sets of all shapes and limits, always the same ones:
// that their side finds everything is not ours to promise.
func everySet(t *testing.T, f func(t *testing.T, s sets, clientMax, serverMax int)) {
	for _, n := range []int{0, 1, 31, 32, 100, 2000} {
		for _, seconds := range []int64{1, 7, 100_000} {
			for _, differ := range []float64{0, .002, .1, 1} {
				for _, limit := range [][2]int{{0, 0}, {0, 4096}, {4096, 0}, {4096, 4096}, {8000, 5000}} {
					t.Run(fmt.Sprintf("%d items/%d seconds/differ %v/limits %v", n, seconds, differ, limit), func(t *testing.T) {
						s := randomSets(rand.New(rand.NewPCG(uint64(n), uint64(seconds))), n, seconds, differ)
						f(t, s, limit[0], limit[1])
					})
				}
			}
		}
	}
}

// TestNegentropyBytes: in sessions of either client, our server answers as
// theirs does, and our first message is theirs.
func TestNegentropyBytes(t *testing.T) {
	cut := 0
	everySet(t, func(t *testing.T, s sets, clientMax, serverMax int) {
		our, their := ourServer(s.server, serverMax), theirServer(s.server, serverMax)
		both := func(msg []byte) ([]byte, error) {
			got, err := our(msg)
			if err != nil {
				return nil, err
			}
			want, err := their(msg)
			if err != nil {
				return nil, err
			}
			if !bytes.Equal(got, want) {
				cut++
				checkCut(t, got, want, serverMax)
			}
			return got, nil
		}
		theirClient(t, s.client, clientMax, both)
		ourClient(t, s.client, clientMax, nil, both)

		first := negentropy.NewClient(negentropy.NewSlice(slices.Clone(s.client)), clientMax).Open()
		if want := theirs.New(theirSet(s.client), clientMax).Start(); hex.EncodeToString(first) != want {
			t.Errorf("the first message is %x, theirs %s", first, want)
		}
	})
	if cut == 0 {
		t.Error("no answer was cut where a range did not fit, so the difference was not tested")
	}
}

// checkCut allows the one difference that the documentation of the codec names:
// where a range did not fit, the end covers that range, and a Skip comes first.
func checkCut(t *testing.T, got, want []byte, limit int) {
	t.Helper()
	const end = 3 + 16 // infinity, the mode, a fingerprint
	if limit == 0 || len(got) > limit || len(got) < end || len(want) < end {
		t.Fatalf("limit %d: the answer is\n%x, theirs\n%x", limit, got, want)
	}
	head, last := want[:len(want)-end], want[len(want)-end:]
	between, found := bytes.CutPrefix(got[:len(got)-end], head)
	ours := got[len(got)-end:]
	infinity := []byte{0, 0, 1}
	if !found || !bytes.HasPrefix(last, infinity) || !bytes.HasPrefix(ours, infinity) {
		t.Fatalf("limit %d: the answer is\n%x, theirs\n%x", limit, got, want)
	}
	if n := len(between); n > 0 && (n > 44 || between[n-1] != 0) {
		t.Fatalf("between the last range and the end is %x, not a Skip", between)
	}
}

// TestNegentropySessions: each pair of a client and a server finds the
// differences, all of them and nothing else.
func TestNegentropySessions(t *testing.T) {
	everySet(t, func(t *testing.T, s sets, clientMax, serverMax int) {
		check := func(who string, have, need []string) {
			t.Helper()
			if !slices.Equal(have, s.have) || !slices.Equal(need, s.need) {
				t.Errorf("%s: found %d and %d, want %d and %d", who, len(have), len(need), len(s.have), len(s.need))
			}
		}
		have, need := theirClient(t, s.client, clientMax, ourServer(s.server, serverMax))
		check("their client, our server", have, need)
		have, need = ourClient(t, s.client, clientMax, nil, theirServer(s.server, serverMax))
		check("our client, their server", have, need)
	})
}

// TestNegentropyDroppedRange is why our answers differ where a range does not
// fit. A client that has nothing asks for the ids of a first range and sends the
// fingerprint of nothing for the rest. The second range does not fit in the
// answer, after it there is nothing, and their server says just that.
func TestNegentropyDroppedRange(t *testing.T) {
	s := randomSets(rand.New(rand.NewPCG(1, 2)), 140, 1000, 0)
	items := negentropy.NewSlice(s.server)
	at := items.Item(119).ID
	first := []byte{negentropy.Version}
	first = append(first, varint(items.Item(119).CreatedAt+1)...)
	first = append(append(first, byte(len(at))), at[:]...)
	first = append(first, 2, 0) // no ids
	nothing := negentropy.Sum{}.Fingerprint(0)
	first = append(append(first, 0, 0, 1), nothing[:]...)

	if _, need := ourClient(t, nil, 0, first, ourServer(s.server, 4096)); len(need) != items.Len() {
		t.Errorf("%d found of %d", len(need), items.Len())
	}
	if _, need := ourClient(t, nil, 0, first, theirServer(s.server, 4096)); len(need) != 119 {
		t.Errorf("their server now shows %d; the documentation of the codec says otherwise", len(need))
	}
}

// varint encodes a number below 2^14.
func varint(v int64) []byte {
	if v < 0x80 {
		return []byte{byte(v)}
	}
	return []byte{byte(v>>7) | 0x80, byte(v & 0x7f)}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
