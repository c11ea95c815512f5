package negentropy

import (
	"math/rand/v2"
	"strings"
	"testing"

	"rhea/proto/negentropy"
	"rhea/proto/relaypb"
)

// Whatever comes, each NegOpen and each NegMsg of a turn that has not been has one
// answer, and nothing is left of what has ended.
func FuzzInbox(f *testing.F) {
	f.Add([]byte(`{}`), []byte{0x61}, []byte{0x61, 0, 0, 1, 9}, uint32(1))
	f.Add([]byte(`{"kinds":[1],"limit":3}`), negentropy.NewClient(newTree(), 0).Open(), []byte{0x61, 0, 0, 2, 0}, uint32(1))
	f.Add([]byte(`{"since":5,"until":9}`), []byte{0x62}, []byte{}, uint32(9))
	store := newFakeStore(rand.New(rand.NewPCG(1, 1)))
	for i := range 300 {
		h := randomHeader(store.rng, 1000)
		store.commit(h, uint64(i/2))
	}
	f.Fuzz(func(t *testing.T, filter, first, second []byte, turn uint32) {
		b := newBench(t, DefaultConfig(), store)
		once := func(m *relaypb.NegInbox) {
			got := b.say(m)
			if strings.Count(got, ";") > strings.Count(got, "; start over")+strings.Count(got, "; try again") || got == "" {
				t.Errorf("the answer to %v is %q", m, got)
			}
		}
		once(openMsg(conn(1), 1, string(filter), first))
		if turn > 0 {
			once(nextMsg(conn(1), 1, turn, second))
		}
		once(openMsg(conn(2), 2, string(second), filter))
		b.say(closeMsg(conn(1), 1))
		b.say(closeMsg(conn(2), 2))
		b.checkEmpty()
	})
}
