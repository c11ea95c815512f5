package store

import (
	"encoding/binary"
	"testing"
	"time"

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
	eachIndexKey(header, 1, func(key, _ []byte) { keys[key[0]] = append([]byte(nil), key...) })
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
		damage{"wrong brief", keys[spaceAll], appendAuthorBrief(nil, 2, regular.PubKey)},
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

// TestCheckFindsTombstones does the same to what requests to remove have left.
func TestCheckFindsTombstones(t *testing.T) {
	author, at := nostr.PubKey{1}, appendTime(nil, 100)
	address := appendDeletedAddress(nil, appendAddress(nil, author, 30023, nostr.NewTagValue("x")))
	regular := append([]byte(nil), address...)
	regular[2+32], regular[2+33] = 0, 1
	long := append([]byte(nil), address...)
	long[2+32+2] = 5
	note := made(1, 1, 100, "")
	for _, d := range []struct {
		name       string
		key, value []byte
	}{
		{"tombstone of what is stored", appendDeletedID(nil, note.ID, author), at},
		{"tombstone of an address that is stored", appendDeletedAddress(nil, appendAddress(nil, author, 0, nostr.TagValue{})), at},
		{"author who has vanished and is here", appendVanish(nil, spaceVanish, author), at},
		{"tombstone without a time", appendDeletedID(nil, nostr.EventID{9}, author), nil},
		{"negative time", appendDeletedID(nil, nostr.EventID{9}, author), []byte("\xff2345678")},
		{"short key", appendDeletedID(nil, nostr.EventID{9}, author)[:40], at},
		{"key of neither", []byte{spaceDeletion, 'x', 1}, at},
		{"bare key", []byte{spaceDeletion}, at},
		{"address of a regular kind", regular, at},
		{"address with a cut value", long, at},
		{"address with no value", address[:2+32+2], at},
		{"address of nothing", address[:10], at},
		{"short key of a vanished author", []byte{spaceVanish, 1}, at},
		{"vanished without a time", appendVanish(nil, spaceVanish, nostr.PubKey{7}), []byte{1}},
		{"vanishing without a tombstone", appendVanish(nil, spaceVanishing, nostr.PubKey{7}), at},
		{"vanishing up to another time", appendVanish(nil, spaceVanishing, nostr.PubKey{2}), appendTime(nil, 7)},
		{"short key of a vanishing author", []byte{spaceVanishing, 1}, at},
		{"removal of what is there", appendSeqKey(nil, spaceLog, 6), appendLogValue(nil, logValue{removed: []removed{{place: place{seq: 1}}}})},
		{"entry of nothing", appendSeqKey(nil, spaceLog, 6), appendLogValue(nil, logValue{})},
		{"lost removal", appendSeqKey(nil, spaceLog, 6), nil},
	} {
		t.Run(d.name, func(t *testing.T) {
			s := openMem(t, Options{FS: vfs.NewMem()})
			expires := made(2, 1, 100, "", nostr.Tag{"expiration", "200"})
			request := made(4, 5, 100, "", nostr.Tag{"a", "30023:" + author.String() + ":x"})
			vanish := made(5, 62, 100, "")
			vanish.PubKey = nostr.PubKey{2}
			commit(t, s, incomingOf(note), incomingOf(expires), incomingOf(made(3, 0, 100, "")), incomingOf(request), incomingOf(vanish))
			if c, _, err := s.Sweep(time.Unix(1000, 0)); err != nil {
				t.Fatal(err)
			} else if entries, head, err := c.Wait(); err != nil || head != 6 || len(entries) != 1 {
				t.Fatal(entries, head, err)
			}
			// So that somebody is still vanishing.
			if err := s.db.Set(appendVanish(nil, spaceVanishing, vanish.PubKey), at, pebble.Sync); err != nil {
				t.Fatal(err)
			}
			check := func() Report {
				v := &View{s: s, snap: s.db.NewSnapshot(), seq: 6, refs: 1}
				defer v.Close()
				rep, err := v.Check()
				if err != nil {
					t.Fatal(err)
				}
				return rep
			}
			if rep := check(); len(rep.Problems) > 0 || rep.Deletions != 1 || rep.Vanished != 1 || rep.Vanishing != 1 {
				t.Fatalf("%+v", rep)
			}
			var err error
			if d.name == "lost removal" {
				err = s.db.Delete(d.key, pebble.Sync)
			} else {
				err = s.db.Set(d.key, d.value, pebble.Sync)
			}
			if err != nil {
				t.Fatal(err)
			}
			if rep := check(); len(rep.Problems) == 0 {
				t.Error("the checker finds nothing")
			}
		})
	}
}
