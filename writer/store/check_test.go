package store

import (
	"encoding/binary"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"rhea/proto/nostr"
)

// TestCheckFinds damages a store in one way after the other; the checker must
// say so each time.
func TestCheckFinds(t *testing.T) {
	tag := nostr.Tag{"t", "x"}
	regular := made(1, 1, 100, "", tag, tag, nostr.Tag{"expiration", "200"})
	header := nostr.AppendHeader(nil, regular)
	keys := map[byte][]byte{spaceLog: appendSeqKey(nil, spaceLog, 1), spaceID: appendIDKey(nil, regular.ID)}
	if err := eachIndexKey(header, 1, func(key []byte) error {
		keys[key[0]] = append([]byte(nil), key...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	type damage struct {
		name       string
		key, value []byte // nil deletes
	}
	var damages []damage
	for space, key := range keys {
		damages = append(damages, damage{"lost key in " + string(space), key, nil})
		stray := append([]byte(nil), key...)
		binary.BigEndian.PutUint64(stray[len(stray)-8:], 999)
		damages = append(damages, damage{"stray key in " + string(space), stray, []byte("value of twenty-four byte")})
	}
	head := appendHeadKey(nil, nostr.AppendHeader(nil, made(3, 0, 101, "")))
	other := place{3, 101}
	damages = append(damages,
		damage{"lost head", head, nil},
		damage{"wrong head", head, other.appendTo(nil)},
		damage{"wrong place", keys[spaceID], other.appendTo(nil)},
		damage{"lost stub", appendSeqKey(nil, spaceLog, 3), nil},
		damage{"lost ephemeral key", appendSeqKey(nil, spaceEphemeral, 5), nil},
		damage{"lost ephemeral entry", appendSeqKey(nil, spaceLog, 5), nil},
		damage{"wrong count of events", metaState, state{5, 7, 0}.appendTo(nil)},
		damage{"wrong count of ephemerals", metaState, state{5, 2, 3}.appendTo(nil)},
		damage{"wrong head of the log", metaState, state{6, 2, 0}.appendTo(nil)},
		damage{"removed event is there", appendSeqKey(nil, spaceLog, 2), appendLogValue(nil, logValue{header: header})},
		damage{"removal of what comes later", keys[spaceLog], appendLogValue(nil, logValue{removed: []removed{{place: place{seq: 4}}}, header: header})},
		damage{"garbage in the log", keys[spaceLog], []byte{200}},
		damage{"garbage header", keys[spaceLog], appendLogValue(nil, logValue{header: header[:90]})},
		damage{"lost state", metaState, nil},
	)
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			s := openMem(t, Options{FS: vfs.NewMem()})
			commit(t, s, incomingOf(regular), incomingOf(made(2, 0, 100, "")), incomingOf(made(3, 0, 101, "")),
				incomingOf(made(4, 0, 102, "")), incomingOf(made(5, 20000, 100, "")))
			checked(t, s)
			var err error
			if d.value == nil {
				err = s.db.Delete(d.key, pebble.Sync)
			} else {
				err = s.db.Set(d.key, d.value, pebble.Sync)
			}
			if err != nil {
				t.Fatal(err)
			}
			v := &View{s: s, snap: s.db.NewSnapshot(), seq: 5, refs: 1}
			defer v.Close()
			if rep, err := v.Check(); err == nil && len(rep.Problems) == 0 {
				t.Error("the checker finds nothing")
			}
		})
	}
}

func TestCheckOfADirectory(t *testing.T) {
	fs := vfs.NewMem()
	if _, err := Check("store", Options{FS: fs}); err == nil {
		t.Error("Check of nothing works")
	}
	s := openOnce(t, fs)
	commit(t, s, incomingOf(made(1, 1, 1, "")))
	if _, err := Check("store", Options{FS: fs}); err == nil {
		t.Error("Check of a store in use works")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	rep, err := Check("store", Options{FS: fs})
	if err != nil || rep.Events != 1 || len(rep.Problems) > 0 {
		t.Errorf("%+v, %v", rep, err)
	}
}
