package negentropy

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"rhea/proto/nostr"
)

// TestTranscripts runs testdata/transcripts. A message is a range a line,
//
//	skip <bound>
//	fingerprint <bound> <hex>
//	ids <bound> <id>...
//
// where a bound is inf or <time>[:<hex of the id prefix>] and an id is hex that
// zeros complete. The commands:
//
//	items               defines the set: <time> <id> a line; with n= from= so many
//	                    more, one a second, with ids that are hashes
//	encode              a message as hex
//	read                hex as a message
//	respond [max=]      the answer to a message, with its length
//	open                the first message of a client that has the set
//	next                what a client that has the set says to a message
//	fingerprint         that of the whole set
//	varint              numbers as they are encoded
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		var set Set = NewSlice(nil)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "items":
				items := parseItems(t, d.Input)
				for i := range optional(t, d, "n") {
					items = append(items, Item{CreatedAt: int64(optional(t, d, "from") + i), ID: hashed(i)})
				}
				set = NewSlice(items)
				return fmt.Sprintf("%d items\n", set.Len())
			case "encode":
				return hex.EncodeToString(encode(t, d.Input)) + "\n"
			case "read":
				return show(unhex(t, d.Input))
			case "respond":
				reply, err := Respond(nil, set, encode(t, d.Input), optional(t, d, "max"))
				if err != nil {
					return err.Error() + "\n"
				}
				return fmt.Sprintf("%s%d bytes\n", show(reply), len(reply))
			case "open":
				return show(NewClient(set, 0).Open())
			case "next":
				c := NewClient(set, 0)
				reply, done, err := c.Next(nil, encode(t, d.Input))
				if err != nil {
					return err.Error() + "\n"
				}
				out := fmt.Sprintf("have%s\nneed%s\n", showIDs(c.Have), showIDs(c.Need))
				if done {
					return out + "done\n"
				}
				return out + show(reply)
			case "fingerprint":
				f := set.Sum(0, set.Len()).Fingerprint(set.Len())
				return hex.EncodeToString(f[:]) + "\n"
			case "varint":
				var out strings.Builder
				for _, word := range strings.Fields(d.Input) {
					v, err := strconv.ParseUint(word, 10, 64)
					if err != nil {
						t.Fatal(err)
					}
					fmt.Fprintf(&out, "%d %x\n", v, appendVarint(nil, v))
				}
				return out.String()
			}
			d.Fatalf(t, "unknown command %s", d.Cmd)
			return ""
		})
	})
}

// optional is the value of a numeric argument, 0 if it is not there.
func optional(t *testing.T, d *datadriven.TestData, name string) (v int) {
	d.MaybeScanArgs(t, name, &v)
	return v
}

// hashed is an id as evenly distributed as real ones, the same every time.
func hashed(i int) nostr.EventID {
	return sha256.Sum256(binary.LittleEndian.AppendUint64(nil, uint64(i)))
}

func parseItems(t *testing.T, text string) (items []Item) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		at, err := strconv.ParseInt(words[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, Item{CreatedAt: at, ID: parseID(t, words[1])})
	}
	return items
}

func parseID(t *testing.T, text string) (id nostr.EventID) {
	copy(id[:], unhex(t, text))
	return id
}

func parseBound(t *testing.T, text string) Bound {
	if text == "inf" {
		return Infinity()
	}
	digits, prefix, _ := strings.Cut(text, ":")
	at, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	b := Bound{time: at}
	b.prefix = uint8(copy(b.id[:], unhex(t, prefix)))
	return b
}

// encode makes the message of its text, whatever that says.
func encode(t *testing.T, text string) []byte {
	w := newWriter(nil, NewSlice(nil), 0)
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		end := parseBound(t, words[1])
		switch words[0] {
		case "skip":
			w.bound(end, modeSkip)
		case "fingerprint":
			w.bound(end, modeFingerprint)
			w.buf = append(w.buf, unhex(t, words[2])...)
		case "ids":
			w.bound(end, modeIDs)
			w.buf = appendVarint(w.buf, uint64(len(words)-2))
			for _, word := range words[2:] {
				id := parseID(t, word)
				w.buf = append(w.buf, id[:]...)
			}
		default:
			t.Fatalf("unknown mode %q", words[0])
		}
	}
	return w.buf
}

// show is the text of a message.
func show(msg []byte) string {
	if msg[0] != Version {
		return fmt.Sprintf("version %#x\n", msg[0])
	}
	var out strings.Builder
	r := reader{msg: msg, off: 1}
	for r.more() {
		s := r.next()
		if r.err != nil {
			break
		}
		switch s.mode {
		case modeSkip:
			fmt.Fprintf(&out, "skip %s\n", showBound(s.end))
		case modeFingerprint:
			fmt.Fprintf(&out, "fingerprint %s %x\n", showBound(s.end), s.fingerprint)
		case modeIDs:
			ids := make([]nostr.EventID, s.count())
			for i := range ids {
				ids[i] = s.id(i)
			}
			if len(ids) > 4 {
				fmt.Fprintf(&out, "ids %s: %d\n", showBound(s.end), len(ids))
				continue
			}
			fmt.Fprintf(&out, "ids %s%s\n", showBound(s.end), showIDs(ids))
		}
	}
	switch {
	case r.err != nil:
		fmt.Fprintln(&out, r.err)
	case out.Len() == 0:
		return "nothing\n"
	}
	return out.String()
}

func showBound(b Bound) string {
	if b.time == infinity {
		return "inf"
	}
	if b.prefix == 0 {
		return strconv.FormatUint(b.time, 10)
	}
	return fmt.Sprintf("%d:%x", b.time, b.id[:b.prefix])
}

func showIDs(ids []nostr.EventID) string {
	var out strings.Builder
	for _, id := range ids {
		text := strings.TrimRight(id.String(), "0")
		out.WriteString(" " + text + strings.Repeat("0", len(text)%2))
	}
	return out.String()
}

func unhex(t *testing.T, text string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
