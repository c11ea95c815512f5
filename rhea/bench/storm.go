package bench

import "fmt"

// storm opens connections as after a relay's restart, each with a question about what
// is stored.
func storm(s *Session) ([]Result, error) {
	if err := s.fill(); err != nil {
		return nil, err
	}
	events, err := s.main()
	if err != nil {
		return nil, err
	}
	const most = 5000
	n := openable(min(s.Connections, most))
	o := &opening{g: s.group(), req: func(i int) []byte {
		e := &events[i*7%len(events)]
		return fmt.Appendf(nil, `["REQ","s",{"authors":["%x"],"kinds":[1,6,7],"limit":20}]`, e.Author[:])
	}}
	defer o.g.close()
	before, err := s.relay.read(true)
	if err != nil {
		return nil, err
	}
	opened, failed := o.open(n, 256)
	if failed != nil {
		return nil, fmt.Errorf("after %d connections: %w", opened, failed)
	}
	res, err := s.relay.measure(before, "connection", uint64(opened), 0, &o.latency)
	return []Result{res}, err
}
