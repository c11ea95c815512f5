package relaypb_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"rhea/proto/relaypb"
)

// Every message of the contract is written byte for byte as the generated code writes
// it, and read as that reads it, whatever has been in the message before.
func TestQuickIsGenerated(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, kind := range kinds() {
		used := kind.New().Interface()
		for range 200 {
			m := kind.New()
			populate(rng, m, 3)
			want, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.Interface())
			if err != nil {
				t.Fatal(err)
			}
			before := []byte("before")
			got, err := relaypb.Append(before, m.Interface())
			if err != nil || !maps(kind) && !bytes.Equal(got, append(before, want...)) {
				t.Fatalf("%s: %v\n%x, %v; want\n%x", kind.Descriptor().Name(), m, got, err, want)
			}
			if n := relaypb.Size(m.Interface()); n != len(want) {
				t.Fatalf("%s: %v: size %d, want %d", kind.Descriptor().Name(), m, n, len(want))
			}
			readAlike(t, kind, used, want)
			for range 20 {
				readAlike(t, kind, used, spoil(rng, want))
			}
		}
	}
}

// FuzzRead reads any bytes as any message.
func FuzzRead(f *testing.F) {
	all := kinds()
	rng := rand.New(rand.NewPCG(2, 2))
	for i, kind := range all {
		m := kind.New()
		populate(rng, m, 3)
		b, err := proto.Marshal(m.Interface())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(i), b)
	}
	f.Fuzz(func(t *testing.T, i byte, b []byte) {
		kind := all[int(i)%len(all)]
		readAlike(t, kind, kind.New().Interface(), b)
	})
}

// readAlike reads b into used, and fails unless that is what the generated code reads.
func readAlike(t *testing.T, kind protoreflect.MessageType, used proto.Message, b []byte) {
	t.Helper()
	want := kind.New().Interface()
	wantErr, gotErr := proto.Unmarshal(b, want), relaypb.Read(b, used)
	if (wantErr == nil) != (gotErr == nil) || wantErr == nil && !proto.Equal(want, used) {
		t.Fatalf("%s: %x\n%v, %v; want\n%v, %v", kind.Descriptor().Name(), b, used, gotErr, want, wantErr)
	}
}

func TestTextThatIsNone(t *testing.T) {
	m := &relaypb.OutInbox{Body: &relaypb.OutInbox_Verdict{Verdict: &relaypb.Verdict{Text: "\xff"}}}
	if b, err := relaypb.Append(nil, m); err == nil {
		t.Errorf("%x was written", b)
	}
	if err := relaypb.Read([]byte{0x0a, 3, 0x22, 1, 0xff}, m); err == nil {
		t.Errorf("%v was read", m)
	}
}

// What a sender of another version says is not lost.
func TestUnknownFieldsPass(t *testing.T) {
	b := []byte{0x0a, 6, 0x10, 7, 0x7a, 2, 'h', 'i'}
	m := new(relaypb.IngestInbox)
	if err := relaypb.Read(b, m); err != nil || m.GetEvent().GetNum() != 7 {
		t.Fatal(m, err)
	}
	if again, err := relaypb.Append(nil, m); err != nil || !bytes.Equal(again, b) {
		t.Errorf("%x, %v; want %x", again, err, b)
	}
}

// Events lie where they came from, and what is small and kept does not.
func TestReadShares(t *testing.T) {
	part := &relaypb.Part{Events: [][]byte{[]byte("one"), nil, []byte("two")}, Cursor: []byte("cursor")}
	b, err := relaypb.Append(nil, &relaypb.OutInbox{Body: &relaypb.OutInbox_Part{Part: part}})
	if err != nil {
		t.Fatal(err)
	}
	m := new(relaypb.OutInbox)
	if err := relaypb.Read(b, m); err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] = 'x'
	}
	got := m.GetPart()
	if string(got.Events[0]) != "xxx" || got.Events[1] != nil || string(got.Events[2]) != "xxx" || string(got.Cursor) != "cursor" {
		t.Errorf("events %q, cursor %q", got.Events, got.Cursor)
	}
	if e := got.Events[0]; cap(e) != len(e) {
		t.Error("what is appended to an event falls on the next one")
	}
}

// What an event costs on its way to the disk is no memory.
func TestReadAgainAllocatesNothing(t *testing.T) {
	event, header := make([]byte, 600), make([]byte, 120)
	for _, m := range []proto.Message{
		&relaypb.IngestInbox{Body: &relaypb.IngestInbox_Event{Event: &relaypb.EventFrame{Conn: 1, Num: 2, Event: event}}},
		&relaypb.WriteInbox{Body: &relaypb.WriteInbox_Admitted{Admitted: &relaypb.Admitted{Conn: 1, Num: 2, Header: header, Json: event}}},
		&relaypb.OutInbox{Body: &relaypb.OutInbox_Verdict{Verdict: &relaypb.Verdict{Num: 2, Id: event[:32], Outcome: relaypb.Outcome_NEW}}},
	} {
		b, err := relaypb.Append(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		again := m.ProtoReflect().New().Interface()
		if err := relaypb.Read(b, again); err != nil {
			t.Fatal(err)
		}
		n := testing.AllocsPerRun(100, func() {
			if relaypb.Size(m) != len(b) {
				t.Fatal("size")
			}
			if _, err := relaypb.Append(b[:0], m); err != nil {
				t.Fatal(err)
			}
			if err := relaypb.Read(b, again); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", m.ProtoReflect().Descriptor().Name(), n)
		}
	}
}

// kinds are the messages of the contract.
func kinds() (all []protoreflect.MessageType) {
	for _, file := range []protoreflect.FileDescriptor{
		relaypb.File_ingest_proto, relaypb.File_write_proto, relaypb.File_log_proto, relaypb.File_out_proto, relaypb.File_req_proto,
		relaypb.File_scan_proto, relaypb.File_sub_proto, relaypb.File_neg_proto, relaypb.File_member_proto, relaypb.File_up_proto,
	} {
		for i := range file.Messages().Len() {
			kind, err := protoregistry.GlobalTypes.FindMessageByName(file.Messages().Get(i).FullName())
			if err != nil {
				panic(err)
			}
			all = append(all, kind)
		}
	}
	return all
}

// maps says whether a message holds a map, which has no order.
func maps(kind protoreflect.MessageType) bool {
	fields := kind.Descriptor().Fields()
	for i := range fields.Len() {
		if fields.Get(i).IsMap() {
			return true
		}
	}
	return false
}

// populate sets fields of m, and of the messages in it down to a depth.
func populate(rng *rand.Rand, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		switch f := fields.Get(i); {
		case rng.IntN(4) == 0 || f.Message() != nil && depth == 0:
		case f.IsMap():
			m.Mutable(f).Map().Set(protoreflect.ValueOf("a").MapKey(), protoreflect.ValueOf(rng.Float64()))
		case f.IsList():
			list := m.Mutable(f).List()
			for range rng.IntN(5) {
				v := list.NewElement()
				if f.Message() == nil {
					v = value(rng, f)
				} else {
					populate(rng, v.Message(), depth-1)
				}
				list.Append(v)
			}
		case f.Message() != nil:
			populate(rng, m.Mutable(f).Message(), depth-1)
		default:
			m.Set(f, value(rng, f))
		}
	}
}

// value is a value of a plain field: of numbers all sizes are as likely.
func value(rng *rand.Rand, f protoreflect.FieldDescriptor) protoreflect.Value {
	n := rng.Uint64() >> rng.IntN(64)
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOf(n%2 == 0)
	case protoreflect.EnumKind:
		return protoreflect.ValueOf(protoreflect.EnumNumber(int32(n)))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOf(int32(n))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOf(int64(n))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOf(uint32(n))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOf(n)
	}
	text := make([]byte, rng.IntN(300))
	for i := range text {
		text[i] = byte(rng.IntN(0x80))
	}
	if f.Kind() == protoreflect.StringKind {
		return protoreflect.ValueOf(string(text))
	}
	return protoreflect.ValueOf(text)
}

// spoil changes b as a sender of another kind might have.
func spoil(rng *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	at := rng.IntN(len(b) + 1)
	switch rng.IntN(5) {
	case 0:
		return b[:at]
	case 1:
		return append(b, b...) // which proto merges
	case 2: // a field that is not known, in between if that is a place for one
		return append(append(bytes.Clone(b[:at]), 0x7a, 1, 'x'), b[at:]...)
	case 3:
		return append(append(bytes.Clone(b[:at]), b[rng.IntN(at+1):at]...), b[at:]...)
	}
	if len(b) > 0 {
		b[at%len(b)] ^= 1 << rng.IntN(8)
	}
	return b
}

// What the messages cost that each event, and each answer of a query, is made of.
func BenchmarkMessages(b *testing.B) {
	event, header := make([]byte, 600), make([]byte, 120)
	entries, part := &relaypb.Entries{Store: 1, From: 2, Next: 66}, &relaypb.Part{Num: 1, Worker: 2, AsOf: 3, Eose: true}
	for i := range 64 {
		entries.Entries = append(entries.Entries, &relaypb.Entry{Seq: uint64(2 + i), Header: header, Json: event})
	}
	for range 500 {
		part.Events = append(part.Events, event)
	}
	for _, m := range []proto.Message{
		&relaypb.IngestInbox{Body: &relaypb.IngestInbox_Event{Event: &relaypb.EventFrame{Conn: 1, Num: 2000, Event: event}}},
		&relaypb.WriteInbox{Body: &relaypb.WriteInbox_Admitted{Admitted: &relaypb.Admitted{Conn: 1, Num: 2000, Header: header, Json: event}}},
		&relaypb.OutInbox{Body: &relaypb.OutInbox_Verdict{Verdict: &relaypb.Verdict{Num: 2000, Id: event[:32], Outcome: relaypb.Outcome_NEW}}},
		&relaypb.LogInbox{Body: &relaypb.LogInbox_Entries{Entries: entries}},
		&relaypb.OutInbox{Body: &relaypb.OutInbox_Part{Part: part}},
	} {
		benchmarkMessage(b, m)
	}
}

func benchmarkMessage(b *testing.B, m proto.Message) {
	body := m.ProtoReflect().WhichOneof(m.ProtoReflect().Descriptor().Oneofs().Get(0))
	data, err := proto.Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, len(data))
	fresh := m.ProtoReflect().New
	used := fresh().Interface()
	for _, c := range []struct {
		name string
		do   func() error
	}{
		{"write/generated", func() error {
			proto.Size(m)
			_, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(buf, m)
			return err
		}},
		{"write/quick", func() error {
			relaypb.Size(m)
			_, err := relaypb.Append(buf, m)
			return err
		}},
		{"read/generated", func() error { return proto.Unmarshal(data, fresh().Interface()) }},
		{"read/quick", func() error { return relaypb.Read(data, fresh().Interface()) }},
		{"read again/quick", func() error { return relaypb.Read(data, used) }},
	} {
		b.Run(string(body.Name())+"/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
