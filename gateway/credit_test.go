package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// TestStarvedQueriesEnd has a client ask for more at once than its budget holds, of
// a reqworker that answers each query once and is never heard again. The client
// takes all it gets, so the queries in line are not waited for as a slow client's
// are: each ends when its time is over.
func TestStarvedQueriesEnd(t *testing.T) {
	b := newBench(t)
	b.core.HandleRoster(testView{owners: map[subject.Stage]subject.Instance{subject.Reqworker: 1}})
	cn := &conn{id: subject.MakeConnID(0x6a, 1)}
	b.conns["a"] = cn
	b.core.Open(cn, nil)
	const subs = 19
	for i := range subs {
		b.say(cn, fmt.Sprintf(`["REQ","%d",{}]`, i))
	}
	event := []byte(`{"id":"x"}` + strings.Repeat(" ", 40_000))
	for num := range uint64(subs) {
		b.core.Handle(&relaypb.OutInbox{Body: &relaypb.OutInbox_Part{Part: &relaypb.Part{
			Num: num + 1, Worker: 1, Events: [][]byte{event}, Cursor: []byte("c"), AsOf: 1,
		}}})
		b.listen()
	}
	if len(cn.starved()) == 0 {
		t.Fatal("no query waits in line")
	}
	for range b.config.QueryTimeout/tickEvery + 1 {
		b.now = b.now.Add(tickEvery)
		b.core.Tick(b.now)
		b.listen()
	}
	closed := strings.Count(b.output(), "CLOSED")
	if closed != subs || len(b.core.subs) != 0 || cn.granted != 0 {
		t.Errorf("%d of %d queries were closed; %d are left, with %d bytes granted", closed, subs, len(b.core.subs), cn.granted)
	}
}

// TestSlowClientsQueriesWait is the other half: as long as the client takes nothing
// of what waits for it, its queries wait.
func TestSlowClientsQueriesWait(t *testing.T) {
	b := newBench(t)
	b.core.HandleRoster(testView{owners: map[subject.Stage]subject.Instance{subject.Reqworker: 1}})
	cn := &conn{id: subject.MakeConnID(0x6a, 1)}
	b.core.Open(cn, nil)
	cn.out = &backlog{buf: make([]byte, queryBudget/2)}
	const subs = 19
	for i := range subs {
		b.say(cn, fmt.Sprintf(`["REQ","%d",{}]`, i))
	}
	waiting := len(cn.starved())
	for range time.Minute / tickEvery {
		b.now = b.now.Add(tickEvery)
		b.core.Tick(b.now)
	}
	if len(cn.starved()) == 0 || len(b.core.subs) < waiting {
		t.Errorf("%d queries wait, and %d are left; want %d", len(cn.starved()), len(b.core.subs), waiting)
	}
}
