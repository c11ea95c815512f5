package subject

import "testing"

func TestSubjects(t *testing.T) {
	s, err := New("rhea", 16)
	if err != nil {
		t.Fatal(err)
	}
	for got, want := range map[string]string{
		s.Ingest(3):               "rhea.v1.ingest.3",
		s.Req(0):                  "rhea.v1.req.0",
		s.Sub(15):                 "rhea.v1.sub.15",
		s.Neg(1):                  "rhea.v1.neg.1",
		s.Write():                 "rhea.v1.write",
		s.Scan():                  "rhea.v1.scan",
		s.Log():                   "rhea.v1.log",
		s.LogFetch():              "rhea.v1.log.fetch",
		s.Out(0xabc):              "rhea.v1.out.00000abc",
		s.Member(Ingester):        "rhea.v1.member.ingester",
		s.Hello():                 "rhea.v1.hello",
		s.Up():                    "rhea.v1.up",
		MakeConnID(1, 7).String(): "00000001-7",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		prefix string
		shards int
	}{{"", 16}, {"a b", 16}, {"a..b", 16}, {".a", 16}, {"a.", 16}, {"a.*", 16}, {"a.>", 16}, {"a", 0}, {"a", 3}, {"a", 256}, {"a", -1}} {
		if _, err := New(c.prefix, c.shards); err == nil {
			t.Errorf("New(%q, %d) accepted", c.prefix, c.shards)
		}
	}
}

func TestParseShard(t *testing.T) {
	s, _ := New("rhea", 16)
	for sh := Shard(0); sh < 16; sh++ {
		got, err := s.ParseShard(s.Req(sh))
		if err != nil || got != sh {
			t.Fatalf("shard %d came back as %d, %v", sh, got, err)
		}
	}
	for _, bad := range []string{"", "rhea.v1.write", "other.v1.req.1", "rhea.v1.req.16", "rhea.v1.req.-1", "rhea.v1.req.x", "rhea.v1.log.fetch"} {
		if _, err := s.ParseShard(bad); err == nil {
			t.Errorf("ParseShard(%q) accepted", bad)
		}
	}
}

func TestShardsPartitionConnections(t *testing.T) {
	s, _ := New("rhea", 8)
	var seen [8]int
	for i := range uint32(8000) {
		seen[s.ShardOf(MakeConnID(0xfeed, i))]++
	}
	for sh, n := range seen {
		if n != 1000 {
			t.Errorf("shard %d owns %d of 8000 consecutive connections", sh, n)
		}
	}
}
