package replay

import (
	"slices"
	"strings"
	"testing"
	"time"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
	"rhea/rhea/tap"
)

func TestLogbook(t *testing.T) {
	l := logbook{store: 9, head: 4}
	entries := func(from, next uint64, seqs ...uint64) *relaypb.Entries {
		e := &relaypb.Entries{Store: 1, From: from, Next: next}
		for _, s := range seqs {
			e.Entries = append(e.Entries, &relaypb.Entry{Seq: s, Json: []byte("x")})
		}
		return e
	}
	l.add(entries(5, 8, 5, 7))
	l.add(entries(10, 12, 10, 11))
	l.add(entries(5, 8, 5, 7)) // heard twice
	for _, c := range []struct {
		ask, from, next uint64
		seqs            []uint64
	}{
		{1, 1, 5, nil}, // before the recording: gone
		{5, 5, 8, []uint64{5, 7}},
		{6, 6, 8, []uint64{7}},
		{8, 8, 10, nil}, // missed by the recorder
		{11, 11, 12, []uint64{11}},
		{12, 12, 12, nil},
		{1 << 63, 12, 12, nil},
	} {
		e := l.fetch(c.ask).GetEntries()
		var seqs []uint64
		for _, x := range e.Entries {
			seqs = append(seqs, x.Seq)
		}
		if e.From != c.from || e.Next != c.next || !slices.Equal(seqs, c.seqs) || e.Head != 11 || e.Store != 9 {
			t.Errorf("from %d: %v", c.ask, e)
		}
	}
}

// The replies to equal requests are given in the order of the recording, before or
// after they are asked for, however much a slice may hold.
func TestShelf(t *testing.T) {
	var given []uint64
	s := newShelf(func(_ *bus.Message, m *relaypb.ScanReply) { given = append(given, m.AsOf) })
	scan := func(limit uint32, filters string) *relaypb.Scan {
		return &relaypb.Scan{Filters: []byte(filters), MaxBytes: limit}
	}
	s.request("r.1", scan(10, "{}"))
	s.request("r.2", scan(20, "{}"))
	at := time.Unix(100, 0)
	s.request("r.0", scan(10, "{}"))
	s.reply("r.0", &relaypb.ScanReply{AsOf: 8}, at.Add(-1)) // nobody has asked for it in time
	s.reply("r.1", &relaypb.ScanReply{AsOf: 1}, at)
	s.ask(nil, scan(30, "{}"), at)
	s.ask(nil, scan(30, "{}"), at)
	s.ask(nil, scan(30, `{"kinds":[1]}`), at)
	if !slices.Equal(given, []uint64{1}) || !strings.HasSuffix(s.lacks(), `{"kinds":[1]}`) {
		t.Fatal(given, s.lacks())
	}
	s.reply("r.3", &relaypb.ScanReply{AsOf: 3}, at) // of a request that was not recorded
	s.reply("r.2", &relaypb.ScanReply{AsOf: 2}, at)
	s.ask(nil, scan(30, "{}"), at) // a query that the recording has not read
	if s.again(at.Add(1)); len(given) != 2 {
		t.Fatal("a reply from before the question", given)
	}
	if s.again(at); !slices.Equal(given, []uint64{1, 2, 1}) {
		t.Fatal(given)
	}
	s.missing(func(item) *relaypb.ScanReply { return &relaypb.ScanReply{AsOf: 9} })
	if !slices.Equal(given, []uint64{1, 2, 1, 9}) {
		t.Fatal(given)
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, subj string
		want          bool
	}{
		{"a.>", "a.b.c", true}, {"a.>", "a", false}, {"a.*", "a.b", true}, {"a.*", "a.b.c", false},
		{"a.b", "a.b", true}, {"a.b", "a.c", false}, {"a.b.c", "a.b", false}, {">", "a", true},
	} {
		if got := matches(c.pattern, c.subj); got != c.want {
			t.Errorf("%s, %s: %v", c.pattern, c.subj, got)
		}
	}
}

// What cannot be replayed is refused before anything is begun, with the reason.
func TestCheck(t *testing.T) {
	whole := tap.Header{Prefix: "rhea", Shards: 16, Subjects: []string{"rhea.v1.>"}}
	ingest := whole
	ingest.Subjects = []string{"rhea.v1.ingest.>", "rhea.v1.out.>"}
	broken := whole
	broken.Shards = 3
	for _, c := range []struct {
		header tap.Header
		under  subject.Stage
		why    string // "" for none
	}{
		{whole, "", ""}, {whole, subject.Monitor, ""}, {ingest, "", ""},
		{whole, subject.Gateway, "sockets"},
		{whole, "gatway", `no stage "gatway"`},
		{ingest, subject.Ingester, "no write.>"},
		{ingest, subject.Reqworker, "no req.>"},
		{broken, "", "makes no sense"},
	} {
		err := Check(c.header, c.under)
		if (err == nil) != (c.why == "") || err != nil && !strings.Contains(err.Error(), c.why) {
			t.Errorf("%v, %s: %v", c.header.Subjects, c.under, err)
		}
	}
}
