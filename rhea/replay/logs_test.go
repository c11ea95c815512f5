package replay

import (
	"testing"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/relaypb"
)

// A place in the recorded log is found in the replay's by the events around it, also
// when the replay is ahead, behind, or has them in another order.
func TestLogs(t *testing.T) {
	for _, x := range []struct {
		then, now   string // the events of both logs, at 11, 12, … and at 1, 2, …
		after, want uint64
	}{
		{"abcd", "abcd", 12, 2},
		{"abcd", "abcd", 14, 4},
		{"abcd", "abcdefgh", 12, 2}, // the replay is ahead
		{"abcd", "abcdefgh", 14, 4},
		{"abcd", "ab", 12, 2}, // and behind
		{"abcd", "ab", 14, 2},
		{"abcd", "a", 12, 1},
		{"abcd", "acbd", 12, 1}, // c is still to come, b may come twice
		{"abcd", "xxabcd", 11, 3},
		{"abcd", "", 12, 0},
		{"", "abcd", 12, 0},
		{"abcd", "abcd", 9, 0}, // from before the recording
	} {
		l := newLogs()
		for i, c := range x.then {
			l.recorded(uint64(11+i), item(c))
			l.recorded(uint64(11+i), item('?')) // heard twice
		}
		for i, c := range x.now {
			l.replayed(uint64(1+i), item(c))
		}
		if got := l.translate(x.after); got != x.want {
			t.Errorf("%q and %q: %d is %d, not %d", x.then, x.now, x.after, got, x.want)
		}
	}
}

// However long a recording is, of its log is known what is latest.
func TestLogsAreBounded(t *testing.T) {
	l := newLogs()
	const n = 5 * logsKept
	for i := uint64(1); i <= n; i++ {
		l.recorded(i, item(i))
		l.replayed(i+7, item(i))
	}
	if len(l.then) > 2*logsKept || len(l.now)+len(l.older) > 2*logsKept {
		t.Errorf("%d and %d+%d are kept", len(l.then), len(l.now), len(l.older))
	}
	if got := l.translate(n - logsKept/2); got != n-logsKept/2+7 {
		t.Error(got)
	}
	if got := l.translate(5); got != 0 {
		t.Error(got)
	}
}

// A subscription that gets a key while its monitor is behind misses nothing, be the
// replay's writer ahead or its monitor: what was logged and not yet delivered comes
// after, or has come before.
func TestKeyWhileTheMonitorIsBehind(t *testing.T) {
	for _, ahead := range []bool{false, true} {
		s := newStagehand(t, "")
		entry := func(seq, n uint64) *relaypb.Entry {
			return &relaypb.Entry{Seq: seq, Header: nostr.AppendHeader(nil, &nostr.Event{ID: nostr.EventID(id(n))}), Json: stored(n)}
		}
		s.ask(asking(16))
		s.then(piece(16, 0, true))
		s.c.hear(piece(1, 0, true))
		s.ask(watching(32))
		s.then(&relaypb.Deliveries{Monitor: 3, Number: 1, Watching: []uint64{32}})
		s.c.hear(&relaypb.Deliveries{Monitor: 4, Number: 1, Watching: []uint64{2}})
		s.later(time.Second)
		s.c.noteEntries(false, &relaypb.Entries{Entries: []*relaypb.Entry{entry(41, 1), entry(42, 2)}})
		s.c.hear(&relaypb.Entries{Entries: []*relaypb.Entry{entry(51, 1), entry(52, 2), entry(53, 3), entry(54, 4)}})
		s.then(&relaypb.Deliveries{Monitor: 3, Number: 2, Events: []*relaypb.Delivery{delivery(41, 1, 32)}})
		s.c.hear(&relaypb.Deliveries{Monitor: 4, Number: 2, Events: []*relaypb.Delivery{delivery(51, 1, 2)}})
		want := uint64(51)
		if ahead {
			s.c.hear(&relaypb.Deliveries{Monitor: 4, Number: 3, Events: []*relaypb.Delivery{delivery(52, 2, 2)}})
			want = 52
		}
		s.ask(&relaypb.Unwatch{Conn: conn(1), Num: 32})
		keyed := watching(48)
		keyed.After, keyed.Keys = 41, [][]byte{make([]byte, 32)}
		if w := s.ask(keyed)[0].(*relaypb.Watch); w.After != want {
			t.Fatalf("ahead=%v: %v", ahead, w)
		}
		s.later(time.Second)
		s.then(&relaypb.Deliveries{Monitor: 3, Number: 3, Events: []*relaypb.Delivery{delivery(42, 2, 48)}, Watching: []uint64{48}})
		number := uint64(4)
		if !ahead {
			number = 3
		}
		rest := &relaypb.Deliveries{Monitor: 4, Number: number, Watching: []uint64{3}}
		if !ahead {
			rest.Events = []*relaypb.Delivery{delivery(52, 2, 3)}
		}
		s.c.hear(rest)
		if len(s.c.owed) != 0 {
			t.Errorf("ahead=%v: %d are owed", ahead, len(s.c.owed))
		}
		s.later(time.Second)
		s.expect(Result{Same: 3})
	}
}
