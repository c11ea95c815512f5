package stage

import (
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode"
)

// WriteConfig writes the settings in effect as TOML that Load reads back, with
// the help as comments. A secret that is set stands there commented out, as
// "***": fed back, it is missing rather than wrong.
func (l *Loader) WriteConfig(w io.Writer) error {
	l.prepare()
	var b strings.Builder
	for _, s := range l.sections {
		if s.name == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		wrap(&b, "# ", s.help)
		fmt.Fprintf(&b, "[%s]\n", s.name)
		for _, k := range s.keys {
			wrap(&b, "# ", k.help)
			if k.secret && k.text() != "" {
				fmt.Fprintf(&b, "# %s = \"***\"\n", k.name)
				continue
			}
			fmt.Fprintf(&b, "%s = %s\n", k.name, k.toml())
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// toml is the value as it stands in a file.
func (k *key) toml() string {
	if list, ok := k.value.Interface().([]string); ok {
		quoted := make([]string, len(list))
		for i, s := range list {
			quoted[i] = quote(s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	}
	text := k.text()
	if k.value.Type() == byteSizeType {
		if _, err := strconv.ParseInt(text, 10, 64); err == nil {
			return text
		}
	}
	if k.value.Type() == durationType || k.unmarshaler() != nil || k.value.Kind() == reflect.String {
		return quote(text)
	}
	if k.value.CanFloat() {
		text = strings.ToLower(text) // TOML writes inf and nan
		if strings.Trim(text, "-0123456789") == "" {
			text += ".0" // else it is an integer there, and -0 loses its sign
		}
	}
	return text
}

// quote returns s as a TOML basic string. Go's quoting will not do: it has
// escapes (\x, \a, \v) that TOML has not.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case unicode.IsControl(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
