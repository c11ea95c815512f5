package stage

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ByteSize is a number of bytes in a configuration: a plain integer, or text
// with a unit, "64MiB" or "10MB".
type ByteSize int64

// byteUnits is ordered so that no suffix hides a longer one that follows it, and
// so that String meets the largest fitting binary unit first.
var byteUnits = [...]struct {
	suffix string
	bytes  int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1},
}

// UnmarshalText reads an integer with an optional unit: B, kB or KB (1000), MB,
// GB, TB, KiB (1024), MiB, GiB, TiB. It refuses negative sizes and fractions.
func (b *ByteSize) UnmarshalText(text []byte) error {
	digits, unit := string(text), int64(1)
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(digits, u.suffix); ok {
			digits, unit = strings.TrimRight(rest, " "), u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || int64(n) > math.MaxInt64/unit {
		return fmt.Errorf("%q is not a size: want bytes, or a number with a unit such as \"64MiB\"", text)
	}
	*b = ByteSize(int64(n) * unit)
	return nil
}

// MarshalText returns String.
func (b ByteSize) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// String returns the size with the largest binary unit that divides it, or as a
// plain number; UnmarshalText reads it back.
func (b ByteSize) String() string {
	for _, u := range byteUnits[:4] {
		if b != 0 && int64(b)%u.bytes == 0 {
			return strconv.FormatInt(int64(b)/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(b), 10)
}
