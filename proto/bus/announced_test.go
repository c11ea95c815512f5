package bus

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"rhea/proto/relaypb"
)

func TestReadAnnounced(t *testing.T) {
	m := &relaypb.Member{
		Stage: "writer", Instance: 7, Host: "h", Pid: 8, Version: "v", Started: 9, Leaving: true, Shards: 16, Seq: 10,
		Store: 11, Owned: []uint32{1, 2, 3}, Stats: map[string]float64{"a": 1, "b": 2.5}, Gone: true, Settled: true,
	}
	body, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	got := new(relaypb.Member)
	err = readAnnounced(body, got)
	m.Stats = nil
	if err != nil || !proto.Equal(got, m) {
		t.Errorf("%v, %v, want %v", got, err, m)
	}
	for n := range body {
		var whole relaypb.Member
		err := readAnnounced(body[:n], new(relaypb.Member))
		if want := proto.Unmarshal(body[:n], &whole); (err == nil) != (want == nil) {
			t.Errorf("of %d bytes: %v; the generated code says %v", n, err, want)
		}
	}
}

func BenchmarkReadAnnounced(b *testing.B) {
	m := &relaypb.Member{Stage: "writer", Instance: 7, Host: "h", Pid: 8, Version: "v", Owned: make([]uint32, 16), Stats: make(map[string]float64)}
	for c := range 40 {
		m.Stats["some_metric_of_a_stage_"+string(rune('a'+c))] = float64(c)
	}
	body, err := proto.Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	for name, read := range map[string]func([]byte, *relaypb.Member) error{
		"brief": readAnnounced,
		"whole": func(body []byte, m *relaypb.Member) error { return proto.Unmarshal(body, m) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := read(body, new(relaypb.Member)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
