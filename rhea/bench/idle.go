package bench

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"rhea/rhea/bench/proc"
)

// idle measures what connections that do nothing hold.
func idle(s *Session) ([]Result, error) {
	events, err := s.main()
	if err != nil {
		return nil, err
	}
	authors := newPick(events).authors
	o := &opening{g: s.group(), req: func(i int) []byte {
		return fmt.Appendf(nil, `["REQ","s",{"authors":["%s"],"kinds":[1],"limit":0}]`, authors[i%len(authors)])
	}}
	defer o.g.close()
	if err := s.settle(s.Time / 5); err != nil {
		return nil, err
	}
	before, err := s.relay.read(true)
	if err != nil {
		return nil, err
	}
	memory := proc.MemoryOf(before.pids)
	want := openable(s.Connections)
	n, failed := o.open(want, 32)
	if n == 0 {
		return nil, failed
	}
	res, err := s.relay.measure(before, "connection", uint64(n), 0, &o.latency)
	if err != nil {
		return nil, err
	}
	if failed != nil {
		res.Notes = append(res.Notes, fmt.Sprintf("%d of %d connections could be opened: %v", n, want, failed))
	}
	if n < s.Connections && failed == nil {
		res.Notes = append(res.Notes, fmt.Sprintf("%d connections, not %d: the limit of open files (ulimit -n)", n, s.Connections))
	}
	return s.held(res, o.g, memory, n)
}

// held adds what n connections hold: soon, and when a relay that collects garbage has
// had some time for it, since nobody can make it do so from here.
func (s *Session) held(res Result, g *group, before proc.Memories, n int) ([]Result, error) {
	var last proc.Memories
	for _, look := range []struct {
		after time.Duration
		name  string
	}{{s.Time / 10, "soon"}, {s.Time, "later"}} {
		if err := s.settle(look.after); err != nil {
			return nil, err
		}
		if err := g.ended(); err != nil {
			return nil, err
		}
		pids, err := s.relay.Processes()
		if err != nil {
			return nil, err
		}
		now := proc.MemoryOf(pids)
		if len(now) == 0 {
			break
		}
		res.figure("bytes_each_"+look.name, float64(now.Total().PSS-before.Total().PSS)/float64(n))
		last = now
	}
	for _, name := range slices.Sorted(maps.Keys(last)) {
		if len(last) > 1 {
			res.figure(name+"_bytes_each", float64(last[name].PSS-before[name].PSS)/float64(n))
		}
	}
	return []Result{res}, nil
}
