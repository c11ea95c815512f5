package tap

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// epoch is when the recordings of the tests begin.
func epoch() time.Time { return time.Unix(1_700_000_000, 123_456_789) }

func testHeader() Header {
	return Header{
		Format: Format, Prefix: "rhea", Shards: 16, Started: epoch().UTC(), Host: "h", Version: "v", Subjects: []string{"rhea.v1.>"},
		Members: []Member{{Stage: "writer", Instance: "0000abcd", Version: "v", Owned: []uint32{1, 2}, Seq: 7, Store: 9}},
	}
}

func testMessage(i int) Message {
	m := Message{At: epoch().Add(time.Duration(i)), Subject: fmt.Sprintf("rhea.v1.req.%d", i%16), Data: []byte(strings.Repeat("x", i%50))}
	if i%3 == 0 {
		m.Reply = fmt.Sprintf("rhea.v1.reply.reqworker.%d", i)
	}
	return m
}

// write makes a recording of n messages, flushing after every each of them, and
// returns where its blocks end as well.
func write(t testing.TB, n, each int, end bool) (file []byte, ends []int) {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, testHeader())
	if err != nil {
		t.Fatal(err)
	}
	ends = append(ends, b.Len())
	for i := range n {
		if err := w.Append(testMessage(i)); err != nil {
			t.Fatal(err)
		}
		if (i+1)%each == 0 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			ends = append(ends, b.Len())
		}
	}
	if end {
		if err := w.Close(epoch(), "enough"); err != nil {
			t.Fatal(err)
		}
	}
	if w.Whole() != int64(b.Len()) {
		t.Fatalf("%d bytes are whole of %d", w.Whole(), b.Len())
	}
	return b.Bytes(), ends
}

// read returns all that a recording holds, and every error on the way; the last is
// the one that it ended with.
func read(file io.Reader) (messages []Message, notes []Note, errs []error) {
	r, err := NewReader(file)
	if err != nil {
		return nil, nil, []error{err}
	}
	r.Note = func(n Note) { notes = append(notes, n) }
	for {
		m, err := r.Next()
		if err == nil {
			messages = append(messages, m)
			continue
		}
		errs = append(errs, err)
		if _, goesOn := errors.AsType[*DamageError](err); !goesOn {
			return messages, notes, errs
		}
	}
}

func wantMessages(t *testing.T, got []Message, indexes ...int) {
	t.Helper()
	if len(got) != len(indexes) {
		t.Fatalf("%d messages, want %d", len(got), len(indexes))
	}
	for k, i := range indexes {
		want := testMessage(i)
		if g := got[k]; !g.At.Equal(want.At) || g.Subject != want.Subject || g.Reply != want.Reply || !bytes.Equal(g.Data, want.Data) {
			t.Fatalf("message %d: got %v, want %v", k, g, want)
		}
	}
}

func upTo(n int) (list []int) {
	for i := range n {
		list = append(list, i)
	}
	return list
}

// slow gives a byte at a time, as a pipe may.
type slow struct{ r io.Reader }

func (s slow) Read(p []byte) (int, error) { return s.r.Read(p[:min(1, len(p))]) }

func TestRoundTrip(t *testing.T) {
	file, _ := write(t, 5000, 10_000, true) // blocks end by their size alone
	messages, notes, errs := read(bytes.NewReader(file))
	wantMessages(t, messages, upTo(5000)...)
	if len(errs) != 1 || errs[0] != io.EOF || len(notes) != 1 || notes[0].Kind != Ended || notes[0].Text != "enough" || !notes[0].At.Equal(epoch()) {
		t.Fatalf("%v %v", errs, notes)
	}
	r, err := NewReader(slow{bytes.NewReader(file)})
	if err != nil || !reflect.DeepEqual(r.Header(), testHeader()) {
		t.Fatalf("%+v %v", r.Header(), err)
	}
	if n := bytes.Count(file, []byte(mark)); n < 4 {
		t.Errorf("%d blocks: they should end at %d bytes", n, blockTarget)
	}
}

func TestLargest(t *testing.T) {
	var b bytes.Buffer
	w, err := NewWriter(&b, testHeader())
	if err != nil {
		t.Fatal(err)
	}
	random := rand.NewChaCha8([32]byte{1})
	data := make([]byte, MaxData+1)
	random.Read(data)
	name := strings.Repeat("s", MaxSubject)
	small := Message{At: epoch(), Subject: "s", Data: data[:blockTarget-100]}
	large := Message{At: epoch(), Subject: name, Reply: name, Data: data[:MaxData]}
	for _, m := range []Message{small, large, {Subject: "s", Data: data}, {Subject: name + "s"}, {Subject: "s", Reply: name + "s"}, {}, small} {
		if err := w.Append(m); err != nil && !errors.Is(err, ErrTooLarge) {
			t.Fatal(err)
		}
	}
	if err := w.Close(epoch(), ""); err != nil {
		t.Fatal(err)
	}
	messages, _, errs := read(&b)
	if len(messages) != 3 || !bytes.Equal(messages[1].Data, large.Data) || messages[1].Reply != name || errs[0] != io.EOF {
		t.Fatalf("%d messages, %v", len(messages), errs)
	}
}

// A file that is cut anywhere gives everything up to its last whole block, and
// says what is behind it.
func TestCut(t *testing.T) {
	const each = 7
	file, ends := write(t, 21, each, false)
	for n := range len(file) {
		messages, _, errs := read(slow{bytes.NewReader(file[:n])})
		if n < ends[0] {
			if len(errs) != 1 || len(messages) != 0 {
				t.Fatalf("%d bytes: %v", n, errs)
			}
			continue
		}
		whole := 0
		for whole+1 < len(ends) && ends[whole+1] <= n {
			whole++
		}
		wantMessages(t, messages, upTo(whole*each)...)
		cut, ok := errors.AsType[*CutError](errs[0])
		if !ok || len(errs) != 1 || cut.Messages != whole*each || cut.Bytes != int64(n-ends[whole]) {
			t.Fatalf("%d bytes: %v", n, errs)
		}
	}
}

// A byte that is wrong anywhere behind the header costs its block and nothing else.
func TestDamage(t *testing.T) {
	const each, blocks = 7, 4
	file, ends := write(t, each*blocks, each, true)
	for n := ends[0]; n < len(file); n++ {
		bad := bytes.Clone(file)
		bad[n] ^= 0x40
		hit := 0
		for hit < blocks && ends[hit+1] <= n {
			hit++
		}
		var want []int
		for i := range each * blocks {
			if i/each != hit {
				want = append(want, i)
			}
		}
		messages, _, errs := read(bytes.NewReader(bad))
		wantMessages(t, messages, want...)
		if hit == blocks { // the last, which has the end: nothing sound follows
			if cut, ok := errors.AsType[*CutError](errs[0]); !ok || cut.Bytes != int64(len(file)-ends[blocks]) {
				t.Fatalf("byte %d: %v", n, errs)
			}
			continue
		}
		d, ok := errors.AsType[*DamageError](errs[0])
		if !ok || len(errs) != 2 || errs[1] != io.EOF || d.At != int64(ends[hit]) || d.Bytes != int64(ends[hit+1]-ends[hit]) {
			t.Fatalf("byte %d: %v", n, errs)
		}
	}
}

func TestNotRecordings(t *testing.T) {
	file, ends := write(t, 1, 1, true)
	old := bytes.Clone(file)
	old[ends[0]-1] ^= 1 // within the header's block
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"nothing":         {nil, "not a recording"},
		"text":            {[]byte("hello, hello, hello"), "not a recording"},
		"magic alone":     {[]byte(magic), "within its header"},
		"header damaged":  {old, "damaged"},
		"no header":       {append([]byte(magic), file[ends[0]:]...), "does not begin with a header"},
		"another version": {foreign(t, 1, []byte(`{"format":2}`)), "version 2"},
		"a broken header": {foreign(t, 1, []byte(`{`)), "header is malformed"},
	} {
		if _, err := NewReader(bytes.NewReader(c.file)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// foreign writes a recording by docs/format/recording.md alone, as a program in
// another language would: one block for each pair of a kind and a body.
func foreign(t testing.TB, pairs ...any) []byte {
	t.Helper()
	file := []byte("rhea-rec")
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for i := 0; i < len(pairs); i += 2 {
		body := pairs[i+1].([]byte)
		record := append(binary.AppendUvarint([]byte{byte(pairs[i].(int))}, uint64(len(body))), body...)
		packed := e.EncodeAll(record, nil)
		sizes := binary.LittleEndian.AppendUint32(nil, uint32(len(packed)))
		sizes = binary.LittleEndian.AppendUint32(sizes, uint32(len(record)))
		sum := crc32.Checksum(append(bytes.Clone(sizes), packed...), crc32.MakeTable(crc32.Castagnoli))
		file = append(file, 0xa5, 'R', 'B', '\n')
		file = append(file, sizes...)
		file = binary.LittleEndian.AppendUint32(file, sum)
		file = append(file, packed...)
	}
	return file
}

// What the page about the format says is what this package reads; records that it
// does not know are passed over, and malformed ones reported.
func TestForeign(t *testing.T) {
	header, err := json.Marshal(testHeader())
	if err != nil {
		t.Fatal(err)
	}
	at := binary.LittleEndian.AppendUint64(nil, uint64(epoch().UnixNano()))
	message := append(bytes.Clone(at), "\x03a.b\x01rdata"...)
	file := foreign(t, 1, header, 2, message, 99, []byte("what may come"), 2, []byte("short"),
		3, append(bytes.Clone(at), "\x01\x05slow"...), 3, append(bytes.Clone(at), 3, 0))
	messages, notes, errs := read(bytes.NewReader(file))
	if len(messages) != 1 || messages[0].Subject != "a.b" || messages[0].Reply != "r" || string(messages[0].Data) != "data" || !messages[0].At.Equal(epoch()) {
		t.Fatalf("%v", messages)
	}
	if len(notes) != 2 || notes[0].Kind != Dropped || notes[0].Count != 5 || notes[0].Text != "slow" || notes[1].Kind != Ended {
		t.Fatalf("%v", notes)
	}
	if _, ok := errors.AsType[*DamageError](errs[0]); !ok || len(errs) != 2 || errs[1] != io.EOF {
		t.Fatalf("%v", errs)
	}
}

// failing takes so many bytes and then no more, as a full disk does.
type failing struct {
	bytes.Buffer
	room int
}

func (f *failing) Write(p []byte) (int, error) {
	n := min(len(p), f.room-f.Len())
	f.Buffer.Write(p[:n])
	if n < len(p) {
		return n, errors.New("full")
	}
	return n, nil
}

func TestFull(t *testing.T) {
	_, ends := write(t, 14, 7, false)
	f := &failing{room: ends[1] + 5}
	w, err := NewWriter(f, testHeader())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 14 {
		if err := w.Append(testMessage(i)); err != nil {
			t.Fatal(err)
		}
		if i%7 == 6 {
			err = w.Flush()
		}
	}
	if err == nil || !strings.Contains(err.Error(), "full") || w.Append(testMessage(0)) == nil || w.Close(epoch(), "") == nil {
		t.Fatalf("%v", err)
	}
	if w.Whole() != int64(ends[1]) {
		t.Fatalf("%d bytes are whole, want %d", w.Whole(), ends[1])
	}
	messages, _, errs := read(bytes.NewReader(f.Bytes()[:w.Whole()]))
	wantMessages(t, messages, upTo(7)...)
	if cut, ok := errors.AsType[*CutError](errs[0]); !ok || cut.Bytes != 0 {
		t.Fatalf("%v", errs)
	}
}

func FuzzReader(f *testing.F) {
	file, ends := write(f, 20, 5, true)
	f.Add(file)
	f.Add(file[:ends[2]+9])
	f.Add(append(bytes.Clone(file[:ends[1]]), file[ends[2]-20:]...))
	f.Add(foreign(f, 1, []byte(`{"format":1}`), 2, bytes.Repeat([]byte{0xff}, 40), 3, []byte{0}))
	f.Fuzz(func(t *testing.T, file []byte) {
		messages, _, errs := read(bytes.NewReader(file))
		again, _, errs2 := read(slow{bytes.NewReader(file)})
		if len(messages) != len(again) || fmt.Sprint(errs) != fmt.Sprint(errs2) {
			t.Fatalf("how the bytes arrive changes what they say: %d, %v; %d, %v", len(messages), errs, len(again), errs2)
		}
		for _, m := range messages {
			if len(m.Subject) > MaxSubject || len(m.Data) > MaxData || m.Subject == "" {
				t.Fatalf("out of bounds: %v", m)
			}
		}
	})
}
