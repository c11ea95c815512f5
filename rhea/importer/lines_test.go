package importer

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzReadLines holds the reader against splitting the whole text.
func FuzzReadLines(f *testing.F) {
	f.Add([]byte("a\n\n bc \r\nlonger than that\nd"), 5)
	f.Add(bytes.Repeat([]byte("x"), 200_000), 100_000)
	f.Add([]byte(strings.Repeat("y", 65536)+"\nz\n"), 65536)
	f.Fuzz(func(t *testing.T, text []byte, limit int) {
		limit = 1 + limit&0xfffff
		if bytes.HasPrefix(text, []byte{0x1f, 0x8b}) || isZstd(text[:min(4, len(text))]) || bytes.Contains(text, []byte(`"fried"`)) {
			t.Skip("TestPacked and TestFried have these")
		}
		var want []Line
		for i, line := range bytes.Split(text, []byte("\n")) {
			raw := len(bytes.TrimRight(line, "\r"))
			line = bytes.TrimSpace(line)
			if raw > maxRaw(limit) || len(line) > limit {
				want = append(want, Line{Number: i + 1, TooLong: true})
			} else if len(line) > 0 {
				want = append(want, Line{Number: i + 1, Event: line})
			}
		}
		got := make(chan Line, len(want)+1)
		if err := readLines(t.Context(), "", bytes.NewReader(text), limit, nil, got); err != nil {
			t.Fatal(err)
		}
		close(got)
		for line := range got {
			if len(want) == 0 {
				t.Fatalf("one too many: %+v", line)
			}
			if line.Number != want[0].Number || line.TooLong != want[0].TooLong || !bytes.Equal(line.Event, want[0].Event) {
				t.Fatalf("got %+v, want %+v", line, want[0])
			}
			want = want[1:]
		}
		if len(want) > 0 {
			t.Fatalf("missing: %+v", want[0])
		}
	})
}
