package importer

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// read returns what readLines makes of a file, and its error.
func read(t *testing.T, file []byte, limit int) (events []string, err error) {
	t.Helper()
	lines := make(chan Line, 10_000)
	err = readLines(t.Context(), "f", bytes.NewReader(file), limit, nil, lines)
	close(lines)
	for line := range lines {
		events = append(events, string(line.Event))
	}
	return events, err
}

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstded(t *testing.T, text string) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	return e.EncodeAll([]byte(text), nil)
}

// text returns n lines that do not compress to nothing.
func text(n int) (all string, lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf(`{"n":%d,"x":"%x"}`, i, i*2654435761*i))
	}
	return strings.Join(lines, "\n") + "\n", lines
}

// Compressed files are known by their content, and several in one are all read.
func TestPacked(t *testing.T) {
	all, lines := text(3000)
	skippable := []byte{0x51, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c'}
	for name, pack := range map[string]func(*testing.T, string) []byte{
		"plain":   func(_ *testing.T, text string) []byte { return []byte(text) },
		"gzip":    gzipped,
		"zstd":    zstded,
		"skipped": func(t *testing.T, text string) []byte { return append(slices.Clone(skippable), zstded(t, text)...) },
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read(t, append(pack(t, all), pack(t, all)...), 100)
			if err != nil || !slices.Equal(got, append(slices.Clone(lines), lines...)) {
				t.Fatalf("%d lines of %d, %v", len(got), 2*len(lines), err)
			}
		})
	}
}

// Of a compressed file that ends too early, what is whole is read, nothing that is
// not, and the error names the line.
func TestPackedCutShort(t *testing.T) {
	all, lines := text(60_000)
	for name, file := range map[string][]byte{"gzip": gzipped(t, all), "zstd": zstded(t, all)} {
		t.Run(name, func(t *testing.T) {
			for _, end := range []int{5, len(file) / 2, len(file) - 1} {
				found := make(chan Line, len(lines)+1)
				err := readLines(t.Context(), "f", bytes.NewReader(file[:end]), 100, nil, found)
				close(found)
				n := 0
				for line := range found {
					if string(line.Event) != lines[n] {
						t.Fatalf("line %d is %q", line.Number, line.Event)
					}
					n++
				}
				want := fmt.Sprintf("f:%d: the file is cut short", n+1)
				if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
					t.Fatalf("%d of %d bytes: %v; want %s", end, len(file), err, want)
				}
				if end == len(file)/2 && n == 0 {
					t.Fatal("nothing of the first half is read")
				}
			}
		})
	}
}

// Damage is an error that names the line, and no line is made of it.
func TestPackedDamaged(t *testing.T) {
	all, _ := text(3000)
	for name, file := range map[string][]byte{"gzip": gzipped(t, all), "zstd": zstded(t, all)} {
		file[len(file)/2] ^= 0xff
		if _, err := read(t, file, 100); err == nil || !strings.HasPrefix(err.Error(), "f:") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A line of strfry's export --fried is its event, whose size is the event's.
func TestFried(t *testing.T) {
	event := `{"content":"\",\"fried\":\"","id":"x"}`
	fried := strings.TrimSuffix(event, "}") + `,"fried":"` + strings.Repeat("0f", len(event)) + `"}`
	long := strings.Repeat("y", len(event)+1)
	got, err := read(t, []byte(fried+"\n"+event+"\n"+long+"\n"), len(event))
	if want := []string{event, event, ""}; err != nil || !slices.Equal(got, want) {
		t.Fatalf("%q, %v", got, err)
	}
}
