package corpus

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"rhea/proto/nostr"
	"rhea/proto/schnorr"
)

// Begin is when the first event of every load was made: young enough for relays that
// refuse what is years old.
const Begin = 1_760_000_000

// version is of what generate makes; another is another cache.
const version = 2

const (
	authors = 1000
	recent  = 3000 // how far back replies go, in events
)

// maker makes events one after the other, as a public relay might get them: notes,
// replies, reactions, reposts, zaps, long texts, of authors and about events of which
// few are popular. It belongs to one goroutine.
type maker struct {
	rng     *rand.Rand
	secrets [authors][32]byte
	keys    [authors]nostr.PubKey
	told    [authors]bool // of whom there is a profile
	made    []*nostr.Event
	by      []int // their authors
}

func newMaker(seed uint64) (*maker, error) {
	m := &maker{rng: rand.New(rand.NewPCG(seed, version))}
	for i := range m.secrets {
		// What another seed, or version, has published is by others, and replaces nothing.
		binary.BigEndian.PutUint64(m.secrets[i][8:], seed+1)
		binary.BigEndian.PutUint64(m.secrets[i][16:], version)
		binary.BigEndian.PutUint64(m.secrets[i][24:], uint64(i)+1)
		key, err := schnorr.PublicKey(&m.secrets[i])
		if err != nil {
			return nil, fmt.Errorf("making events: %w", err)
		}
		m.keys[i] = key
	}
	return m, nil
}

// popular picks one of n, the first ones far more often than the last.
func (m *maker) popular(n int) int {
	return min(int(float64(n)*math.Pow(m.rng.Float64(), 3)), n-1)
}

// next makes an event without a signature.
func (m *maker) next() *nostr.Event {
	n := len(m.made)
	author := m.popular(authors)
	e := &nostr.Event{PubKey: m.keys[author], CreatedAt: Begin + 2*int64(n) - m.rng.Int64N(30)}
	about := -1 // the event that this one is about
	if n > 0 {
		about = n - 1 - m.popular(min(n, recent))
	}
	switch p := m.rng.IntN(100); {
	case !m.told[author] && m.rng.IntN(4) == 0:
		// Once only: a second profile would replace the first, or not, depending on which
		// comes first.
		m.told[author] = true
		e.Kind, e.Content = 0, `{"name":"`+m.text(12)+`","about":"`+m.text(120)+`"}`
	case about < 0 || p < 35:
		e.Kind, e.Content = 1, m.text(60+m.popular(1080))
		if m.rng.IntN(3) == 0 {
			e.Tags = append(e.Tags, nostr.Tag{"t", word(m.popular(400))})
		}
	case p < 60:
		e.Kind, e.Content = 1, m.text(20+m.popular(500))
		e.Tags = m.reference(about, "reply")
	case p < 85:
		e.Kind, e.Content, e.Tags = 7, "+", m.reference(about, "")
	case p < 92:
		e.Kind, e.Tags = 6, m.reference(about, "")
	case p < 98:
		e.Kind = 9735
		e.Tags = append(m.reference(about, ""), nostr.Tag{"bolt11", "lnbc" + m.text(180)})
	default:
		e.Kind, e.Content = 30023, m.text(1200)
		e.Tags = []nostr.Tag{{"d", "text-" + strconv.Itoa(n)}, {"title", m.text(40)}}
	}
	e.ID = e.ComputeID()
	m.made, m.by = append(m.made, e), append(m.by, author)
	return e
}

// reference are the tags of an event about another.
func (m *maker) reference(about int, marker string) []nostr.Tag {
	other := m.made[about]
	tag := nostr.Tag{"e", other.ID.String()}
	if marker != "" {
		tag = append(tag, "", marker)
	}
	return []nostr.Tag{tag, {"p", other.PubKey.String()}}
}

// text makes words of about so many bytes.
func (m *maker) text(size int) string {
	var b strings.Builder
	for b.Len() < size {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word(m.popular(4000)))
	}
	return b.String()
}

// word is the i-th word of a language that nobody speaks.
func word(i int) string {
	syllables := [...]string{"ka", "lo", "mi", "ren", "to", "su", "é", "va", "nor", "pi", "tes", "ga", "ü", "dra", "fe", "ol"}
	w := ""
	for i++; i > 0; i /= len(syllables) {
		w += syllables[i%len(syllables)]
	}
	return w
}

// generate makes count events of a seed and signs them on all processors.
func generate(seed uint64, count int) ([]*nostr.Event, error) {
	m, err := newMaker(seed)
	if err != nil {
		return nil, err
	}
	for range count {
		m.next()
	}
	var signers sync.WaitGroup
	failed := make(chan error, 1)
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		signers.Go(func() {
			for i := w; i < count; i += workers {
				e := m.made[i]
				var err error
				if e.Sig, err = schnorr.Sign(&m.secrets[m.by[i]], (*[32]byte)(&e.ID), new([32]byte)); err != nil {
					select {
					case failed <- fmt.Errorf("signing events: %w", err):
					default: // one is enough
					}
					return
				}
			}
		})
	}
	signers.Wait()
	select {
	case err := <-failed:
		return nil, err
	default:
		return m.made, nil
	}
}
