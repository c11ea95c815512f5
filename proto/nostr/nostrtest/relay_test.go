package nostrtest_test

import (
	"fmt"
	"strings"
	"testing"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
)

// TestRelay spells out, by hand, what the oracle of a relay does.
func TestRelay(t *testing.T) {
	const now = 1000
	key := func(b byte) nostr.PubKey { return nostr.PubKey{b} }
	event := func(id, author byte, at int64, kind nostr.Kind, tags ...nostr.Tag) *nostr.Event {
		return &nostr.Event{ID: nostr.EventID{id}, PubKey: key(author), CreatedAt: at, Kind: kind, Tags: tags}
	}
	id := func(b byte) string { return nostr.EventID{b}.String() }
	bob := []nostr.PubKey{key(2)}
	r := &nostrtest.Relay{Private: []nostr.Kind{4, 1059}}
	for i, c := range []struct {
		e      *nostr.Event
		keys   []nostr.PubKey
		want   string // of the OK
		stored string // ids, newest first, that key 2 sees afterwards
	}{
		{event(1, 1, 10, 1), nil, "true ", "1"},
		{event(1, 1, 10, 1), nil, "true duplicate", "1"},
		{event(2, 1, 20, 0), nil, "true ", "2 1"},
		{event(3, 1, 19, 0), nil, "false replaced", "2 1"},
		{event(4, 1, 20, 0), nil, "false replaced", "2 1"},
		{event(0, 1, 20, 0), nil, "true ", "0 1"},
		{event(5, 1, 30, 1, nostr.Tag{"-"}), nil, "false auth-required", "0 1"},
		{event(5, 1, 30, 1, nostr.Tag{"-"}), bob, "false restricted", "0 1"},
		{event(6, 1, 31, 22242), nil, "false invalid", "0 1"},
		{event(7, 1, 32, 1, nostr.Tag{"expiration", "1000"}), nil, "false invalid", "0 1"},
		{event(8, 1, 33, 1, nostr.Tag{"expiration", "1001"}), nil, "true ", "8 0 1"},
		{event(9, 1, 40, 5, nostr.Tag{"e", id(1)}, nostr.Tag{"e", id(10)}, nostr.Tag{"a", "0:" + key(1).String() + ":"}), nil, "true ", "9 8"},
		{event(1, 1, 10, 1), nil, "false blocked", "9 8"},
		{event(10, 1, 50, 1), nil, "false blocked", "9 8"},
		{event(11, 1, 40, 0), nil, "false blocked", "9 8"},
		{event(12, 1, 41, 0), nil, "true ", "12 9 8"},
		{event(13, 3, 60, 1059, nostr.Tag{"p", key(2).String()}), nil, "true ", "13 12 9 8"},
		{event(14, 3, 61, 1059, nostr.Tag{"p", key(1).String()}), nil, "true ", "13 12 9 8"},
		{event(15, 2, 62, 5, nostr.Tag{"e", id(13)}, nostr.Tag{"e", id(8)}), nil, "true ", "15 12 9 8"},
		{event(16, 1, 40, 62, nostr.Tag{"relay", "ALL_RELAYS"}), nil, "true ", "15 12 16"},
		{event(17, 1, 39, 1), nil, "false blocked", "15 12 16"},
		{event(18, 1, 70, 62), nil, "false invalid", "15 12 16"},
		{event(19, 1, 80, 20001), nil, "true ", "15 12 16"},
	} {
		a := r.Event(c.e, c.keys, now)
		var stored []string
		for _, e := range r.Query(bob, now, []byte(`{}`)) {
			stored = append(stored, fmt.Sprint(e.ID[0]))
		}
		got, ids := fmt.Sprint(a.Accepted, " ", a.Prefix), strings.Join(stored, " ")
		if got != c.want || ids != c.stored {
			t.Errorf("%d: %s with %s, want %s with %s", i, got, ids, c.want, c.stored)
		}
	}
	if n := r.Count(nil, now, []byte(`{"limit":1}`)); n != 3 {
		t.Errorf("count %d", n)
	}
	if h := r.Hint(nil, now, []byte(`{"limit":3}`)) + r.Hint(nil, now, []byte(`{"limit":2}`)); h != "finishmore" {
		t.Errorf("hints %s", h)
	}
	if got := r.Refuses(nil, []byte(`{"kinds":[4]}`)) + r.Refuses(bob, []byte(`{"kinds":[4]}`)) + r.Refuses(nil, []byte(`{"kinds":[1,4]}`)); got != "auth-required" {
		t.Errorf("refuses %s", got)
	}
	if set := r.Set(nil, now, []byte(`{}`)); len(set) != 3 || set[0].ID[0] != 16 || set[2].ID[0] != 15 {
		t.Errorf("set %v", set)
	}
}

// TestRelayHLL follows NIP-45 by hand: the offset is 8 + the hex digit at 32 of the
// tag's value, and what is counted are the zero bits behind that byte of the pubkey.
func TestRelayHLL(t *testing.T) {
	r := &nostrtest.Relay{}
	target := strings.Repeat("0", 32) + "2" + strings.Repeat("0", 31) // offset 10
	pk := nostr.PubKey{10: 0xab, 11: 0, 12: 0x1f}                     // register ab; 8 + 3 zeros, plus 1
	r.Event(&nostr.Event{PubKey: pk, Kind: 7, Tags: []nostr.Tag{{"e", target}}}, nil, 0)
	want := strings.Repeat("00", 0xab) + "0c" + strings.Repeat("00", 255-0xab)
	if got := r.HLL(nil, 0, []byte(`{"kinds":[7],"#e":["`+target+`"]}`)); got != want {
		t.Errorf("got %s", got)
	}
	if got := r.HLL(nil, 0, []byte(`{"kinds":[7]}`)); got != "" {
		t.Errorf("got %s", got)
	}
}
