package deflate

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"

	"rhea/proto/nostr/nostrtest"
)

// inflated is what another implementation makes of a payload: Go's own, as
// gobwas/ws uses it.
func inflated(t *testing.T, payload []byte) string {
	t.Helper()
	f, err := wsflate.DecompressFrame(ws.Frame{
		Header:  ws.Header{Fin: true, Rsv: ws.Rsv(true, false, false), OpCode: ws.OpText, Length: int64(len(payload))},
		Payload: payload,
	})
	if err != nil {
		t.Fatalf("%x: %v", payload[:min(len(payload), 40)], err)
	}
	return string(f.Payload)
}

// texts are messages of all kinds: real events, what repeats and what does not, of
// every small size and of large ones.
func texts(t *testing.T) [][]byte {
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	all := nostrtest.Lines(t)
	for n := range 300 {
		all = append(all, bytes.Repeat([]byte("a"), n))
	}
	for _, n := range []int{1 << 10, 1<<15 - 1, 1 << 15, 1<<16 - 1, 1 << 16, 1<<17 + 1} {
		noise, hex := make([]byte, n), make([]byte, n)
		for i := range noise {
			noise[i], hex[i] = byte(rng.Uint32()), "0123456789abcdef"[rng.IntN(16)]
		}
		all = append(all, noise, hex, bytes.Repeat([]byte("abcdefg"), n/7))
	}
	return all
}

func TestMessage(t *testing.T) {
	var p Packer
	kept := "kept"
	real := len(nostrtest.Lines(t))
	for i, text := range texts(t) {
		out, shorter := p.Message([]byte(kept), text)
		payload, ok := strings.CutPrefix(string(out), kept)
		switch {
		case !ok:
			t.Fatal("what was there before is gone")
		case !shorter && payload != "":
			t.Fatal("it appends what it says it does not")
		case shorter && len(payload) >= len(text):
			t.Errorf("%d bytes became %d", len(text), len(payload))
		case shorter && inflated(t, []byte(payload)) != string(text):
			t.Errorf("%d bytes are not what they were", len(text))
		case !shorter && i < real:
			t.Errorf("an event of %d bytes did not become shorter", len(text))
		}
	}
}

// The same run makes the message of every subscription, alone and behind others.
func TestRun(t *testing.T) {
	var p Packer
	for _, json := range texts(t) {
		run, shorter := p.Run(nil, json)
		for _, sub := range []string{"", "x", strings.Repeat("é", 64)} {
			prefix := fmt.Sprintf(`["EVENT","%s",`, sub)
			text := prefix + string(json) + "]"
			payload := append(AppendStored(nil, []byte(prefix)), run...)
			if !shorter {
				continue
			}
			if len(payload) > len(text) {
				t.Errorf("%d bytes became %d", len(text), len(payload))
			}
			if inflated(t, payload) != text {
				t.Errorf("an event of %d bytes is not what it was", len(json))
			}
		}
	}
}

func TestAppendStored(t *testing.T) {
	for _, n := range []int{0, 1, 255, 256, MaxStored} {
		text := strings.Repeat("s", n)
		if got := inflated(t, append(AppendStored(nil, []byte(text)), 0)); got != text {
			t.Errorf("%d bytes became %d", n, len(got))
		}
	}
}

// Runs are independent: they may be put together in any way.
func TestRunsInARow(t *testing.T) {
	var p Packer
	var stream []byte
	var want strings.Builder
	for i, json := range nostrtest.Lines(t)[:500] {
		run, shorter := p.Run(nil, json)
		if !shorter {
			t.Fatalf("event %d did not become shorter", i)
		}
		prefix := fmt.Sprint(i, " ")
		stream = append(append(AppendStored(stream, []byte(prefix)), run...), tail...)
		want.WriteString(prefix + string(json) + "]")
	}
	got, err := io.ReadAll(flate.NewReader(bytes.NewReader(append(stream, end...))))
	if err != nil || string(got) != want.String() {
		t.Errorf("%d bytes, want %d: %v", len(got), want.Len(), err)
	}
}
