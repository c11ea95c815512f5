package bus

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// deaf listens to nothing while it is set.
type deaf struct{ on bool }

func (d *deaf) Add(string) error {
	if d.on {
		return errors.New("severed")
	}
	return nil
}

func (d *deaf) Remove(string) error { return nil }

// A process that cannot listen says so once, is not ready, and becomes so.
func TestOwnershipThatFails(t *testing.T) {
	var lines bytes.Buffer
	b := NewMemory().Join(space(t), slog.New(slog.NewTextHandler(&lines, nil)))
	r := NewRoster(b, subject.Ingester, "test", nil)
	inbox := &deaf{on: true}
	o := NewOwnership(b, r, subject.Ingester, inbox, b.Space.Ingest)
	if err := o.Ready(); err == nil || !strings.Contains(err.Error(), "do not come back") {
		t.Errorf("ready without having heard itself: %v", err)
	}
	self := &relaypb.Member{Stage: string(subject.Ingester), Instance: uint32(b.Instance), Shards: 16}
	r.view.Store(newView(16, []*relaypb.Member{self}))
	for range 3 {
		if _, _, err := o.Reconcile(); err == nil {
			t.Error("a failure is not told")
		}
	}
	if n := strings.Count(lines.String(), "\n"); n != 1 || !strings.Contains(lines.String(), "severed") {
		t.Errorf("three failures make %d lines:\n%s", n, lines.String())
	}
	if err := o.Ready(); err == nil || !strings.Contains(err.Error(), "16 of the shards") {
		t.Errorf("ready without its shards: %v", err)
	}
	inbox.on = false
	if gained, _, err := o.Reconcile(); len(gained) != 16 || err != nil {
		t.Errorf("gained %v, %v", gained, err)
	}
	for sh := range uint32(16) {
		self.Owned = append(self.Owned, sh)
	}
	if err := o.Ready(); err != nil {
		t.Error(err)
	}
}

func TestServing(t *testing.T) {
	writer := &relaypb.Member{Stage: string(subject.Writer), Instance: 1, Seq: 7}
	ingester := &relaypb.Member{Stage: string(subject.Ingester), Instance: 2, Owned: []uint32{0, 1, 2}}
	expect := func(want string) {
		t.Helper()
		got := ""
		if err := newView(4, []*relaypb.Member{writer, ingester}).Serving(subject.Ingester); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	expect("no writer serves a store")
	writer.Store = 9
	expect("1 of 4 shards have no ingester")
	ingester.Owned = append(ingester.Owned, 3)
	expect("")
}
