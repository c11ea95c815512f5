package nostrtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"rhea/proto/nostr"
)

var (
	hexString     = regexp.MustCompile(`^[0-9a-f]{64}$`)
	addressString = regexp.MustCompile(`^[0-9]+:([0-9a-f]{64}):`)
)

// HLL returns the HyperLogLog value that a COUNT with this one filter has (NIP-45),
// 512 hex digits, or "" when the filter has no tag attribute. It reads binary digits
// as text, which is slow and hard to get wrong.
func (r *Relay) HLL(keys []nostr.PubKey, now int64, filter []byte) string {
	item, ok := firstTagItem(filter)
	if !ok {
		return ""
	}
	if m := addressString.FindStringSubmatch(item); m != nil {
		item = m[1]
	} else if !hexString.MatchString(item) {
		sum := sha256.Sum256([]byte(item))
		item = hex.EncodeToString(sum[:])
	}
	digit, _ := strconv.ParseInt(item[32:33], 16, 8)
	offset := int(digit) + 8
	var registers [256]byte
	for _, e := range r.all(keys, now, filter) {
		digits := ""
		for _, b := range e.PubKey[offset+1:] {
			digits += strings.Repeat("0", 8-len(strconv.FormatInt(int64(b), 2))) + strconv.FormatInt(int64(b), 2)
		}
		zeros := len(digits) - len(strings.TrimLeft(digits, "0"))
		at := e.PubKey[offset]
		registers[at] = max(registers[at], byte(zeros+1))
	}
	return hex.EncodeToString(registers[:])
}

// firstTagItem returns the first item of the first tag attribute as it is written.
func firstTagItem(filter []byte) (string, bool) {
	d := json.NewDecoder(bytes.NewReader(filter))
	d.Token() // {
	for d.More() {
		key, _ := d.Token()
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return "", false
		}
		name, _ := key.(string)
		if len(name) != 2 || name[0] != '#' || !strings.Contains(letters, name[1:]) {
			continue
		}
		var items []string
		if json.Unmarshal(value, &items) != nil || len(items) == 0 {
			return "", false
		}
		return items[0], true
	}
	return "", false
}
