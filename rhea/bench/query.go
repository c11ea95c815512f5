package bench

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"

	"rhea/rhea/bench/corpus"
)

// query is a workload of REQs.
type query struct {
	name, what string
	conns      int
	filter     func(p *pick, dst []byte) []byte
}

// questions lists them.
func questions() []query {
	all := []query{
		{"id", "REQ by id, 8 connections, one in flight each", 8, (*pick).byID},
		{"id-1", "REQ by id, one connection, one in flight", 1, (*pick).byID},
		{"author", "REQ author + kind, newest 20, 8 connections", 8, (*pick).byAuthor},
		{"kind1", "REQ kind 1, newest 500, 8 connections", 8, (*pick).notes},
		{"feed", "REQ 200 authors × 2 kinds, newest 100, 8 connections", 8, (*pick).feed},
		{"replies", "REQ #e, newest 100, 8 connections", 8, (*pick).replies},
		{"mentions", "REQ #p + 4 kinds, newest 50, 8 connections", 8, (*pick).mentions},
		{"all", "REQ {}, newest 100, 8 connections", 8, (*pick).everything},
	}
	return append(all, query{"mix", "30 % by id, 20 % author, 5 % kind 1, 10 % feed, 15 % #e, 15 % #p, 5 % {}; 8 connections", 8, (*pick).mix})
}

func (q query) run(s *Session) ([]Result, error) {
	if err := s.fill(); err != nil {
		return nil, err
	}
	events, err := s.main()
	if err != nil {
		return nil, err
	}
	p := newPick(events)
	a := &asking{rate: s.Rate, filter: func(dst []byte, rng *rand.Rand) []byte {
		at := *p
		at.rng = rng
		return q.filter(&at, dst)
	}}
	var before reading
	err = a.run(s, q.conns, func() (err error) {
		before, err = s.relay.read(true)
		return err
	})
	if err != nil {
		return nil, err
	}
	res, err := s.relay.measure(before, "query", uint64(a.good.Load()), uint64(a.refused.Load()), &a.latency)
	if err != nil {
		return nil, err
	}
	res.figure("events_per_query", float64(a.events.Load())/float64(max(a.good.Load(), 1)))
	if why := a.reasons.after("refused: "); why != "" {
		res.Notes = append(res.Notes, why)
	}
	return []Result{res}, nil
}

// pick draws filters from what is stored: events evenly, so that authors and events
// that are popular are asked for often.
type pick struct {
	events    []corpus.Event
	authors   []string // each once
	replied   []string // each as often as it was replied to
	mentioned []string
	rng       *rand.Rand
}

func newPick(events []corpus.Event) *pick {
	p := &pick{events: events}
	seen := make(map[string]bool)
	for i := range events {
		e := &events[i]
		if author := string(e.Author[:]); !seen[author] {
			seen[author] = true
			p.authors = append(p.authors, e.Author.String())
		}
		if e.Replied != "" {
			p.replied = append(p.replied, e.Replied)
		}
		if e.Mentioned != "" {
			p.mentioned = append(p.mentioned, e.Mentioned)
		}
	}
	return p
}

func (p *pick) event() *corpus.Event { return &p.events[p.rng.IntN(len(p.events))] }

func (p *pick) byID(dst []byte) []byte {
	dst = append(dst, `{"ids":["`...)
	id := p.event().ID
	return append(hex.AppendEncode(dst, id[:]), `"]}`...)
}

func (p *pick) byAuthor(dst []byte) []byte {
	e := p.event()
	return fmt.Appendf(dst, `{"authors":["%x"],"kinds":[%d],"limit":20}`, e.Author[:], e.Kind)
}

func (p *pick) notes(dst []byte) []byte { return append(dst, `{"kinds":[1],"limit":500}`...) }

func (p *pick) feed(dst []byte) []byte {
	return p.authored(append(dst, `{"kinds":[1,6],"limit":100,`...), 200)
}

// following is a filter for what n authors will publish.
func (p *pick) following(dst []byte, n int) []byte {
	return p.authored(append(dst, `{"limit":0,`...), n)
}

// authored ends a filter with n authors.
func (p *pick) authored(dst []byte, n int) []byte {
	dst = append(dst, `"authors":[`...)
	from := p.rng.IntN(len(p.authors))
	for i := range min(n, len(p.authors)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendQuote(dst, p.authors[(from+i)%len(p.authors)])
	}
	return append(dst, "]}"...)
}

func (p *pick) replies(dst []byte) []byte {
	return fmt.Appendf(dst, `{"#e":["%s"],"limit":100}`, p.replied[p.rng.IntN(len(p.replied))])
}

func (p *pick) mentions(dst []byte) []byte {
	return fmt.Appendf(dst, `{"#p":["%s"],"kinds":[1,6,7,9735],"limit":50}`, p.mentioned[p.rng.IntN(len(p.mentioned))])
}

func (p *pick) everything(dst []byte) []byte { return append(dst, `{"limit":100}`...) }

// mix weighs the questions as clients of a public relay ask them, by our guess.
func (p *pick) mix(dst []byte) []byte {
	switch n := p.rng.IntN(100); {
	case n < 30:
		return p.byID(dst)
	case n < 50:
		return p.byAuthor(dst)
	case n < 55:
		return p.notes(dst)
	case n < 65:
		return p.feed(dst)
	case n < 80:
		return p.replies(dst)
	case n < 95:
		return p.mentions(dst)
	}
	return p.everything(dst)
}
