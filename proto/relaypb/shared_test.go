package relaypb_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"rhea/proto/relaypb"
)

// Whatever comes in is read as the generated code reads it, or refused as that does;
// parts, what follows a change of any byte of them, and other messages.
func TestUnmarshalShared(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	blob := func(most int) []byte {
		b := make([]byte, rng.IntN(most))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	same, read := 0, 0
	check := func(b []byte) {
		want, got := new(relaypb.OutInbox), new(relaypb.OutInbox)
		wantErr, gotErr := proto.Unmarshal(b, want), got.UnmarshalShared(b)
		if (wantErr == nil) != (gotErr == nil) || wantErr == nil && !proto.Equal(want, got) {
			t.Fatalf("%x: %v, %v; want %v, %v", b, got, gotErr, want, wantErr)
		}
		if wantErr != nil {
			return
		}
		read++
		for _, e := range got.GetPart().GetEvents() {
			if len(e) > 0 && bytes.Contains(b, e) && within(b, e) {
				same++
			}
		}
	}
	for range 300 {
		p := &relaypb.Part{
			Num: rng.Uint64() >> rng.IntN(64), Worker: rng.Uint32(), Index: rng.Uint32(), AsOf: rng.Uint64() >> rng.IntN(64),
			Eose: rng.IntN(2) == 0, ById: rng.IntN(2) == 0, Completeness: relaypb.Completeness(rng.IntN(4)), Cursor: blob(50),
		}
		for range rng.IntN(4) {
			p.Events = append(p.Events, blob(200))
		}
		b, err := proto.Marshal(&relaypb.OutInbox{Body: &relaypb.OutInbox_Part{Part: p}})
		if err != nil {
			t.Fatal(err)
		}
		check(b)
		for range 50 {
			other := bytes.Clone(b)
			other[rng.IntN(len(other))] ^= 1 << rng.IntN(8)
			check(other[:len(other)-rng.IntN(2)])
		}
	}
	for _, m := range []*relaypb.OutInbox{
		{}, {Body: &relaypb.OutInbox_Verdict{Verdict: &relaypb.Verdict{Num: 3, Text: "x"}}},
		{Body: &relaypb.OutInbox_Closed{Closed: &relaypb.Closed{Text: "x"}}},
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		check(b)
	}
	if same < 1000 || read < 1000 {
		t.Errorf("%d messages were read, %d events share their memory: the test tests little", read, same)
	}
}

// within says whether part is a piece of whole's memory.
func within(whole, part []byte) bool {
	for i := range whole {
		if &whole[i] == &part[0] {
			return true
		}
	}
	return false
}

// Reading the answer to a query for the newest 500 notes.
func BenchmarkPart(b *testing.B) {
	p := &relaypb.Part{Num: 1, Worker: 2, AsOf: 3, Eose: true}
	for range 500 {
		p.Events = append(p.Events, make([]byte, 800))
	}
	data, err := proto.Marshal(&relaypb.OutInbox{Body: &relaypb.OutInbox_Part{Part: p}})
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		read func([]byte, *relaypb.OutInbox) error
	}{
		{"generated", func(b []byte, m *relaypb.OutInbox) error { return proto.Unmarshal(b, m) }},
		{"shared", func(b []byte, m *relaypb.OutInbox) error { return m.UnmarshalShared(b) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.read(data, new(relaypb.OutInbox)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
