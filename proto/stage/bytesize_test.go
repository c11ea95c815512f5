package stage

import (
	"testing"

	"pgregory.net/rapid"
)

func TestByteSize(t *testing.T) {
	for text, want := range map[string]ByteSize{
		"0": 0, "1": 1, "17B": 17, "64MiB": 64 << 20, "64 MiB": 64 << 20, "2KiB": 2048, "3kB": 3000,
		"3KB": 3000, "1GB": 1e9, "1GiB": 1 << 30, "2TiB": 2 << 40, "9223372036854775807": 1<<63 - 1,
	} {
		var got ByteSize
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: got %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1", "1.5MiB", "MiB", "64mib", "64M", "8388608TiB", "9223372036854775808", "0x10"} {
		got := ByteSize(42)
		if err := got.UnmarshalText([]byte(text)); err == nil || got != 42 {
			t.Errorf("%q: got %d, %v; want an error and no change", text, got, err)
		}
	}
}

func TestByteSizeReadsItselfBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := ByteSize(rapid.Int64Min(0).Draw(t, "n") >> rapid.IntRange(0, 62).Draw(t, "right"))
		want = want << rapid.IntRange(0, 20).Draw(t, "left") & (1<<63 - 1)
		var got ByteSize
		if err := got.UnmarshalText([]byte(want.String())); err != nil || got != want {
			t.Fatalf("%d became %q became %d, %v", want, want, got, err)
		}
	})
}
