package deflate

import (
	"bytes"
	"compress/flate"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
)

// deflated is the payload that another implementation makes of a message.
func deflated(tb testing.TB, text []byte, level int) []byte {
	tb.Helper()
	return deflater(tb, level)(text)
}

// deflater makes payloads as gobwas/ws does it.
func deflater(tb testing.TB, level int) func(text []byte) []byte {
	z := newWriter(tb, nil, level)
	h := wsflate.Helper{Compressor: func(w io.Writer) wsflate.Compressor {
		z.Reset(w)
		return z
	}}
	return func(text []byte) []byte {
		f, err := h.CompressFrame(ws.NewTextFrame(text))
		if err != nil {
			tb.Fatal(err)
		}
		return f.Payload
	}
}

func TestInflate(t *testing.T) {
	var in Inflater
	for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, flate.BestSpeed, flate.BestCompression} {
		deflate := deflater(t, level)
		for _, text := range texts(t) {
			payload := deflate(text)
			got, err := in.Append([]byte("kept"), payload, len(text))
			if err != nil || string(got) != "kept"+string(text) {
				t.Fatalf("%d bytes at level %d: %d bytes, %v", len(text), level, len(got), err)
			}
			if got, err := in.Append([]byte("kept"), payload, len(text)-1); len(text) > 0 && (!errors.Is(err, ErrTooLong) || string(got) != "kept") {
				t.Fatalf("%d bytes at level %d, one more than allowed: %q, %v", len(text), level, got, err)
			}
		}
	}
}

// The examples of RFC 7692, 7.2.3, and what is close to them.
func TestInflateExamples(t *testing.T) {
	var in Inflater
	for _, c := range []struct {
		what, payload string
		bad           bool
	}{
		{"one block", "f248cdc9c90700", false},
		{"of another message's context", "f200110000", true},
		{"stored", "000500faff48656c6c6f00", false},
		{"a last block", "f348cdc9c9070000", false},
		{"two blocks", "f2480500 0000ffff cac9c90700", false},
		{"a last block and no empty one", "f348cdc9c90700", true},
		{"a last block and something behind it", "f348cdc9c907000000", true},
		{"a last block before another", "f3480500 f248cdc9c90700", true},
		{"nothing", "", true},
		{"the end is missing", "f248cdc9", true},
		{"a reserved kind of block", "0700", true},
		{"a stored block that is not as long", "000500faff48656c6c6f", true},
		{"lengths that differ", "000500fbff48656c6c6f00", true},
	} {
		payload, err := hex.DecodeString(strings.ReplaceAll(c.payload, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		got, err := in.Append(nil, payload, 100)
		if c.bad && !errors.Is(err, ErrMalformed) || !c.bad && (err != nil || string(got) != "Hello") {
			t.Errorf("%s: %q, %v", c.what, got, err)
		}
	}
	if got, err := in.Append(nil, []byte{0}, 0); err != nil || len(got) != 0 {
		t.Errorf("an empty message: %q, %v", got, err)
	}
}

// A bomb is given up as soon as it is one: what it gets is its limit's worth.
func TestBomb(t *testing.T) {
	var in Inflater
	bomb := deflated(t, make([]byte, 64<<20), flate.BestCompression)
	if len(bomb) > 100_000 {
		t.Fatalf("%d bytes are no bomb", len(bomb))
	}
	const limit = 128 << 10
	out, err := in.Append(nil, bomb, limit)
	if !errors.Is(err, ErrTooLong) || cap(out) > 2*limit {
		t.Errorf("%d bytes of %d with a limit of %d: %v", len(out), cap(out), limit, err)
	}
}

// One inflater serves all, and what one message was leaves nothing for the next.
func TestInflateAfterErrors(t *testing.T) {
	var in Inflater
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	text := []byte(strings.Repeat("what is said once is said again, ", 100))
	payload := deflated(t, text, flate.BestCompression)
	for range 2000 {
		broken := bytes.Clone(payload)
		broken[rng.IntN(len(broken))] ^= 1 << rng.IntN(8)
		_, _ = in.Append(nil, broken[:1+rng.IntN(len(broken))], 10_000)
		if got, err := in.Append(nil, payload, len(text)); err != nil || !bytes.Equal(got, text) {
			t.Fatal(err)
		}
	}
}

// Whatever comes is inflated as Go's own inflater does it, or refused.
func FuzzInflate(f *testing.F) {
	f.Add([]byte{0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0}, 100)
	f.Add([]byte{0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0, 0}, 5)
	f.Add(deflated(f, bytes.Repeat([]byte("abc"), 1000), 9), 2999)
	f.Add(deflated(f, []byte(strings.Repeat(`["REQ","x",{"kinds":[1]}]`, 3)), 1), 4096)
	var in Inflater
	f.Fuzz(func(t *testing.T, payload []byte, limit int) {
		limit = min(max(limit, 0), 1<<16)
		got, err := in.Append(nil, payload, limit)
		if len(got) > limit || cap(got) > 4*max(limit, firstPiece) {
			t.Errorf("%d bytes of %d with a limit of %d", len(got), cap(got), limit)
		}
		rest := bytes.NewReader(append(append(bytes.Clone(payload), tail...), end...))
		want, other := io.ReadAll(io.LimitReader(flate.NewReader(rest), int64(limit)+1))
		switch {
		case err == nil && (other != nil || !bytes.Equal(got, want)):
			t.Errorf("%x: %q, another says %q, %v", payload, got, want, other)
		case errors.Is(err, ErrTooLong) && len(want) <= limit:
			t.Errorf("%x: too long, another finds %d bytes", payload, len(want))
		case errors.Is(err, ErrMalformed) && other == nil && len(want) <= limit && rest.Len() == 0:
			t.Errorf("%x: malformed, another finds %q", payload, want)
		}
	})
}
