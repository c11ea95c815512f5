package policy

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"

	"rhea/proto/nostr"
)

// Auth is when a client is asked to authenticate.
type Auth string

// The values of Auth.
const (
	AuthOnConnect Auth = "connect"  // a challenge at once, which nobody need answer
	AuthNeeded    Auth = "needed"   // a challenge with the first answer that requires it
	AuthRequired  Auth = "required" // nothing works before
)

// UnmarshalText reads one of the values.
func (a *Auth) UnmarshalText(text []byte) error {
	switch v := Auth(text); v {
	case AuthOnConnect, AuthNeeded, AuthRequired:
		*a = v
		return nil
	}
	return fmt.Errorf("%q: want %s, %s or %s", text, AuthOnConnect, AuthNeeded, AuthRequired)
}

// MarshalText returns the value as UnmarshalText reads it.
func (a Auth) MarshalText() ([]byte, error) { return []byte(a), nil }

// Kinds is a sorted list of kinds without repetitions, written 4,1059,30000-30003.
type Kinds []nostr.Kind

// Fingerprint tells lists of kinds apart, as far as 63 bits can. It is not 0.
func (k Kinds) Fingerprint() uint64 {
	h := fnv.New64a()
	for _, kind := range k {
		_, _ = h.Write([]byte{byte(kind >> 8), byte(kind)}) // it never fails
	}
	return h.Sum64() | 1
}

// UnmarshalText reads kinds and ranges of kinds separated by commas.
func (k *Kinds) UnmarshalText(text []byte) error {
	var list Kinds
	for item := range strings.SplitSeq(string(text), ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		from, to, isRange := strings.Cut(item, "-")
		if !isRange {
			to = from
		}
		first, err := parseKind(from)
		if err != nil {
			return err
		}
		last, err := parseKind(to)
		if err != nil {
			return err
		}
		if last < first {
			return fmt.Errorf("%q is no range: it ends before it begins", item)
		}
		for n := int(first); n <= int(last); n++ {
			list = append(list, nostr.Kind(n))
		}
	}
	slices.Sort(list)
	*k = slices.Compact(list)
	return nil
}

// MarshalText returns the list as UnmarshalText reads it; three neighbours and
// more are a range.
func (k Kinds) MarshalText() ([]byte, error) {
	var b []byte
	for i := 0; i < len(k); {
		last := i
		for last+1 < len(k) && k[last+1] == k[last]+1 {
			last++
		}
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(k[i]), 10)
		if last < i+2 {
			i++
			continue
		}
		b = strconv.AppendUint(append(b, '-'), uint64(k[last]), 10)
		i = last + 1
	}
	return b, nil
}

func parseKind(text string) (nostr.Kind, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%q is no kind: want kinds from 0 to 65535", text)
	}
	return nostr.Kind(n), nil
}

// Difficulties is leading zero bits by kind, written 1:16,7:8.
type Difficulties map[nostr.Kind]uint8

// UnmarshalText reads pairs of kind and bits separated by commas, each kind once.
func (d *Difficulties) UnmarshalText(text []byte) error {
	m := make(Difficulties)
	for item := range strings.SplitSeq(string(text), ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		kind, bits, ok := strings.Cut(item, ":")
		if !ok {
			return fmt.Errorf("%q: want kind:bits, such as 1:16", item)
		}
		k, err := parseKind(kind)
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(strings.TrimSpace(bits), 10, 8)
		if err != nil {
			return fmt.Errorf("%q: want 0 to %d bits", item, maxPoW)
		}
		if _, twice := m[k]; twice {
			return fmt.Errorf("kind %d is given more than once", k)
		}
		m[k] = uint8(n)
	}
	*d = m
	return nil
}

// MarshalText returns the pairs as UnmarshalText reads them, by kind.
func (d Difficulties) MarshalText() ([]byte, error) {
	var b []byte
	for _, k := range slices.Sorted(maps.Keys(d)) {
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(k), 10)
		b = strconv.AppendUint(append(b, ':'), uint64(d[k]), 10)
	}
	return b, nil
}
