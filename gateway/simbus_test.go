package gateway

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// Send is the bus from the gateway to the others.
func (s *sim) Send(_ string, m proto.Message) error {
	if s.chance(s.loss) {
		s.lost++
		return nil
	}
	switch m := m.(type) {
	case *relaypb.IngestInbox:
		if a := m.GetAuth(); a != nil {
			s.authenticate(a)
		} else {
			s.ingest(m.GetEvent())
		}
	case *relaypb.ReqInbox:
		switch b := m.Body.(type) {
		case *relaypb.ReqInbox_Query:
			if b.Query.Count {
				s.reply(&relaypb.OutInbox{Body: &relaypb.OutInbox_Counted{Counted: &relaypb.Counted{Num: b.Query.Num, Count: uint64(len(s.log))}}})
				break
			}
			q := &fakeQuery{keys: b.Query.Keys, num: b.Query.Num, granted: int(b.Query.Granted), asOf: len(s.log), at: len(s.log)}
			if len(b.Query.Cursor) > 0 {
				q.asOf = int(b.Query.AsOf)
				q.at, _ = strconv.Atoi(string(b.Query.Cursor))
			}
			s.worker.queries[q.num] = q
		case *relaypb.ReqInbox_Credit:
			if q := s.worker.queries[b.Credit.Num]; q != nil && b.Credit.Worker == uint32(s.worker.inst) {
				q.granted = int(b.Credit.Granted)
			}
		case *relaypb.ReqInbox_Stop:
			delete(s.worker.queries, b.Stop.Num)
		}
	case *relaypb.SubInbox:
		switch b := m.Body.(type) {
		case *relaypb.SubInbox_Watch:
			if _, ok := s.monitor.watches[b.Watch.Num]; !ok {
				s.monitor.watches[b.Watch.Num] = &simWatch{int(b.Watch.After), b.Watch.Keys}
			}
			s.monitor.fresh = append(s.monitor.fresh, b.Watch.Num)
		case *relaypb.SubInbox_Unwatch:
			sh := s.core.space.ShardOf(subject.ConnID(b.Unwatch.Conn))
			for num := range s.monitor.watches {
				if num == b.Unwatch.Num || b.Unwatch.Below && num < b.Unwatch.Num && num%2 == uint64(sh) {
					delete(s.monitor.watches, num)
				}
			}
		}
	}
	return nil
}

// reply is the bus to the gateway.
func (s *sim) reply(m *relaypb.OutInbox) {
	if s.chance(s.loss) {
		s.lost++
		return
	}
	s.toGw = append(s.toGw, m)
}

func (s *sim) ingest(f *relaypb.EventFrame) {
	var e struct{ ID string }
	_ = json.Unmarshal(f.Event, &e)
	v := &relaypb.Verdict{Num: f.Num, Outcome: relaypb.Outcome_DUPLICATE, Text: "duplicate: have it"}
	v.Id, _ = hex.DecodeString(e.ID)
	switch {
	case s.known[e.ID]:
	case s.chance(0.1):
		s.known[e.ID] = true
		v.Outcome, v.Text = relaypb.Outcome_EPHEMERAL, ""
		s.reply(&relaypb.OutInbox{Body: &relaypb.OutInbox_Heard{Heard: &relaypb.Heard{Num: f.Num, Monitor: uint32(s.monitor.inst), Watches: s.rng.Uint64N(2)}}})
	default:
		s.known[e.ID] = true
		one := simEvent{json: fmt.Sprintf(`{"seq":%d,"x":"%s"}`, len(s.log)+1, strings.Repeat("x", s.rng.IntN(3000)))}
		if s.chance(0.4) {
			one.key = byte(1 + s.rng.IntN(simKeys))
		}
		s.log = append(s.log, one)
		v.Outcome, v.Text = relaypb.Outcome_NEW, ""
	}
	s.reply(&relaypb.OutInbox{Body: &relaypb.OutInbox_Verdict{Verdict: v}})
}

// authenticate believes whatever an AUTH says, if it has the challenge.
func (s *sim) authenticate(f *relaypb.AuthFrame) {
	var e struct {
		ID  string
		Key byte
	}
	if err := json.Unmarshal(f.Event, &e); err != nil || len(f.Challenge) != 2*challengeSize || f.Host != "relay.example.org" {
		s.t.Fatalf("AUTH with challenge %q, host %q: %v", f.Challenge, f.Host, err)
	}
	v := &relaypb.Verdict{Num: f.Num, Outcome: relaypb.Outcome_AUTHENTICATED, Key: bytes.Repeat([]byte{e.Key}, 32)}
	v.Id, _ = hex.DecodeString(e.ID)
	s.reply(&relaypb.OutInbox{Body: &relaypb.OutInbox_Verdict{Verdict: v}})
}

// allows says whether somebody with these keys may see an event.
func (e simEvent) allows(keys [][]byte) bool {
	return e.key == 0 || slices.ContainsFunc(keys, func(k []byte) bool { return k[0] == e.key })
}

func (s *sim) serveQueries() {
	for num, q := range s.worker.queries {
		for range s.rng.IntN(20) {
			if q.at > 0 && q.sent >= q.granted {
				break
			}
			p := &relaypb.Part{Num: num, Worker: uint32(s.worker.inst), Index: q.index, AsOf: uint64(q.asOf)}
			if q.at > 0 {
				q.at--
				if e := s.log[q.at]; e.allows(q.keys) {
					p.Events = [][]byte{[]byte(e.json)}
					q.sent += len(e.json)
				}
			} else {
				p.Eose = true
				delete(s.worker.queries, num)
			}
			q.index++
			p.Cursor = []byte(strconv.Itoa(q.at))
			s.reply(&relaypb.OutInbox{Body: &relaypb.OutInbox_Part{Part: p}})
			if p.Eose {
				break
			}
		}
	}
}

func (s *sim) serveWatches() {
	m := s.monitor
	d := &relaypb.Deliveries{Monitor: uint32(m.inst), Upto: uint64(len(s.log)), Watching: m.fresh}
	m.fresh = nil
	first := len(s.log)
	for _, w := range m.watches {
		first = min(first, w.upto)
	}
	for i := first; i < len(s.log); i++ {
		e := &relaypb.Delivery{Seq: uint64(i + 1), Json: []byte(s.log[i].json)}
		for num, w := range m.watches {
			if w.upto <= i && s.log[i].allows(w.keys) {
				e.Nums = append(e.Nums, num)
			}
		}
		d.Events = append(d.Events, e)
	}
	for _, w := range m.watches {
		w.upto = max(len(s.log), w.upto)
	}
	heartbeat := len(m.watches) > 0 && m.told < len(s.log) && s.now.UnixMilli()%1000 == 0
	if len(d.Events)+len(d.Watching) == 0 && !heartbeat {
		return
	}
	m.number++
	m.told = len(s.log)
	d.Number = m.number
	s.reply(&relaypb.OutInbox{Body: &relaypb.OutInbox_Deliveries{Deliveries: d}})
}
