package nostrtest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"

	"rhea/proto/nostr"
)

// EventGen makes up events that are valid but for the signature, which is
// zero. Few authors, times, addresses and tag values make for ties, versions
// and matches. It belongs to one goroutine.
type EventGen struct {
	rng   *rand.Rand
	start int64
	past  []nostr.EventID
}

// NewEventGen returns a generator whose events depend on the seed and on
// start, the Unix time around which they are dated.
func NewEventGen(seed uint64, start int64) *EventGen {
	return &EventGen{rng: rand.New(rand.NewPCG(seed, 1)), start: start}
}

// authors is how many pubkeys an EventGen uses.
const authors = 16

// Secret returns the i-th secret key for tests, to use with Sign.
func Secret(i uint64) (secret [32]byte) {
	binary.BigEndian.PutUint64(secret[24:], i+1)
	return secret
}

// Event returns the next event. Its pubkey is made up and has no secret key.
func (g *EventGen) Event() *nostr.Event {
	e := &nostr.Event{
		PubKey:    g.author(),
		CreatedAt: g.start + g.rng.Int64N(100),
		Kind:      g.kind(),
		Tags:      []nostr.Tag{},
		Content:   g.text(),
	}
	for range g.rng.IntN(6) {
		e.Tags = append(e.Tags, g.tag())
	}
	if e.Kind.IsAddressable() {
		e.Tags = append(e.Tags, nostr.Tag{"d", fmt.Sprint(g.rng.IntN(3))})
	}
	e.ID = e.ComputeID()
	if len(g.past) < 1000 {
		g.past = append(g.past, e.ID)
	} else {
		g.past[g.rng.IntN(len(g.past))] = e.ID
	}
	return e
}

func (g *EventGen) author() (pk nostr.PubKey) {
	pk[0] = byte(g.rng.IntN(authors))
	pk[31] = 1
	return pk
}

func (g *EventGen) kind() nostr.Kind {
	kinds := [...]nostr.Kind{0, 1, 1, 1, 3, 5, 6, 7, 45, 1111, 9999, 10000, 10002, 19999,
		20000, 24133, 29999, 30000, 30023, 39999, 40000, 65535}
	return kinds[g.rng.IntN(len(kinds))]
}

func (g *EventGen) tag() nostr.Tag {
	switch g.rng.IntN(10) {
	case 0, 1:
		if len(g.past) > 0 {
			return nostr.Tag{"e", g.past[g.rng.IntN(len(g.past))].String(), "", "reply"}
		}
		return nostr.Tag{"e"}
	case 2, 3:
		return nostr.Tag{"p", g.author().String()}
	case 4:
		return nostr.Tag{"a", fmt.Sprintf("30023:%s:%d", g.author(), g.rng.IntN(3))}
	case 5:
		return nostr.Tag{"-"}
	case 6:
		return nostr.Tag{"expiration", fmt.Sprint(g.start + g.rng.Int64N(200))}
	case 7:
		return nostr.Tag{"T", fmt.Sprint("upper", g.rng.IntN(5))}
	case 8:
		return nostr.Tag{"d", ""}
	default:
		return nostr.Tag{"t", fmt.Sprint("topic", g.rng.IntN(5))}
	}
}

// text returns content with all that must and must not be escaped.
func (g *EventGen) text() string {
	parts := [...]string{"plain words ", "\n", `"`, `\`, "\t", "\x00", "\x1f", "\x7f", "/",
		"ünïcode ", "\u2028", "\ufdd1", "🐦", "\U0010fff2", "\b\f\r"}
	var b strings.Builder
	for range g.rng.IntN(12) {
		b.WriteString(parts[g.rng.IntN(len(parts))])
	}
	return b.String()
}
