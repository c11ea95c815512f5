package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	gonostr "github.com/nbd-wtf/go-nostr"
)

// go-nostr, a client library that has nothing to do with this project, publishes,
// queries and subscribes.
func TestGoNostr(t *testing.T) {
	if raceDetector {
		t.Skip("the end of its connection is a data race")
	}
	r := start(t, "up", "", nil)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	relay, err := gonostr.RelayConnect(ctx, r.url)
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	secret := gonostr.GeneratePrivateKey()
	pubkey, err := gonostr.GetPublicKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := relay.Subscribe(ctx, gonostr.Filters{{Authors: []string{pubkey}, Kinds: []int{1}}})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-sub.EndOfStoredEvents:
	case <-ctx.Done():
		t.Fatal("no EOSE")
	}
	var ids []string
	for i := range 20 {
		e := gonostr.Event{Kind: 1, CreatedAt: gonostr.Timestamp(time.Now().Unix() - int64(i)),
			Content: fmt.Sprintf("note %d with \"quotes\", ünïcödé 🦤 and\nlines", i), Tags: gonostr.Tags{{"t", "rhea"}, {"e", ids0(ids)}}}
		if err := e.Sign(secret); err != nil {
			t.Fatal(err)
		}
		if err := relay.Publish(ctx, e); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, e.ID)
		// Taken one by one: the library hands events on in goroutines of their own, in
		// no order among those that wait.
		select {
		case e := <-sub.Events:
			if e.ID != ids[i] {
				t.Errorf("live event %d is %s, want %s", i, e.ID, ids[i])
			}
			if ok, err := e.CheckSignature(); !ok || !e.CheckID() {
				t.Errorf("live event %d: signature %v %v, id %v", i, ok, err, e.CheckID())
			}
		case <-ctx.Done():
			t.Fatalf("live event %d does not come", i)
		}
	}
	got, err := relay.QuerySync(ctx, gonostr.Filter{Authors: []string{pubkey}, Tags: gonostr.TagMap{"t": {"rhea"}}, Limit: 10})
	if err != nil || len(got) != 10 {
		t.Fatalf("query: %d events, %v", len(got), err)
	}
	for _, e := range got {
		if ok, _ := e.CheckSignature(); !ok || !e.CheckID() {
			t.Errorf("%s came back changed", e.ID)
		}
	}
	forged := gonostr.Event{Kind: 1, CreatedAt: gonostr.Now(), Content: "forged"}
	forged.Sign(secret)
	forged.Sig = forged.Sig[:126] + "00"
	if err := relay.Publish(ctx, forged); err == nil {
		t.Error("a forged event was accepted")
	}
}

// ids0 gives the events something to refer to.
func ids0(ids []string) string {
	if len(ids) == 0 {
		return "0000000000000000000000000000000000000000000000000000000000000000"
	}
	return ids[0]
}
