package reqworker

import (
	"bytes"
	"context"
	"encoding/hex"
	"slices"
	"strconv"
	"sync"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/policy"
	"rhea/proto/relaypb"
)

// naiveStore answers scans by the oracle: a cursor is how many events of the whole
// answer have been returned. The Seq of an event is its place in the list.
type naiveStore struct {
	mu     sync.Mutex
	events []*nostr.Event
	json   map[nostr.EventID][]byte
	first  int // head at first
	head   int
	whole  map[string][]*nostr.Event // answers by filters, Seq and keys
	scans  map[string]int            // by filters
	most   int                       // events in a slice
}

func newNaiveStore(events []*nostr.Event, head int) *naiveStore {
	s := &naiveStore{events: events, first: head, head: head, json: map[nostr.EventID][]byte{}, whole: map[string][]*nostr.Event{}, scans: map[string]int{}, most: 50}
	for _, e := range events {
		s.json[e.ID] = e.AppendJSON(nil)
	}
	return s
}

// Kinds that the tests have for private, and what that means.
var privateKinds = policy.Kinds{4, 7, 1059, 9735}

func maySee(e *nostr.Event, keys [][]byte) bool {
	return !slices.Contains(privateKinds, e.Kind) || slices.ContainsFunc(keys, func(key []byte) bool {
		return bytes.Equal(key, e.PubKey[:]) || slices.ContainsFunc(e.Tags, func(tag nostr.Tag) bool {
			return len(tag) > 1 && tag[0] == "p" && tag[1] == hex.EncodeToString(key)
		})
	})
}

// answer is the whole answer to filters, given as JSON, at a Seq, for a reader.
func (s *naiveStore) answer(filters []byte, asOf int, keys [][]byte) []*nostr.Event {
	key := strconv.Itoa(asOf) + string(filters) + string(bytes.Join(keys, nil))
	whole, ok := s.whole[key]
	if !ok {
		list, err := nostr.ParseFilters(filters, nostr.FilterLimits{})
		if err != nil {
			panic(err)
		}
		visible := slices.DeleteFunc(slices.Clone(s.events[:asOf]), func(e *nostr.Event) bool { return !maySee(e, keys) })
		whole = nostrtest.Oracle(visible, list)
		s.whole[key] = whole
	}
	return whole
}

// unlimited returns filters without their limits.
func unlimited(filters []byte) []byte {
	list, err := nostr.ParseFilters(filters, nostr.FilterLimits{})
	if err != nil {
		panic(err)
	}
	for i := range list {
		list[i].Limit = nostr.NoLimit
	}
	return filtersJSON(list)
}

// Scan implements reader.
func (s *naiveStore) Scan(_ context.Context, m *relaypb.Scan) (*relaypb.ScanReply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scans[string(m.Filters)]++
	asOf, from := int(m.AsOf), 0
	if asOf == 0 {
		asOf = s.head
	}
	if len(m.Cursor) > 0 {
		from, _ = strconv.Atoi(string(m.Cursor))
	}
	reply := &relaypb.ScanReply{AsOf: uint64(asOf)}
	whole := s.answer(m.Filters, asOf, m.Keys)
	if m.Want == relaypb.Want_COUNT {
		part := whole[from:min(len(whole), from+s.most)]
		from += len(part)
		reply.Count = uint64(len(part))
		if m.HllOffset != 0 {
			reply.Hll = registers(part, int(m.HllOffset))
		}
	}
	for size := 0; m.Want == relaypb.Want_EVENTS && from < len(whole) && len(reply.Events) < s.most; from++ {
		json := s.json[whole[from].ID]
		if len(reply.Events) > 0 && size+len(json) > int(m.MaxBytes) {
			break
		}
		size += len(json)
		reply.Events = append(reply.Events, json)
	}
	if reply.Done = from == len(whole); !reply.Done {
		reply.Cursor = strconv.AppendInt(nil, int64(from), 10)
	} else if reply.Completeness = relaypb.Completeness_FINISH; len(whole) < len(s.answer(unlimited(m.Filters), asOf, m.Keys)) {
		reply.Completeness = relaypb.Completeness_MORE
	}
	return reply, nil
}

func registers(events []*nostr.Event, offset int) []byte {
	var r nostr.Registers
	for _, e := range events {
		r.Add(e.PubKey, offset)
	}
	return r[:]
}
