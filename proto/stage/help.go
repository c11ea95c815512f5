package stage

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// helpWidth is the number of columns of --help and of comments in --print-config.
const helpWidth = 100

// WriteHelp writes the usage: the paragraph, then every flag with its default,
// environment name and help, by section. Secret defaults are not shown.
func (l *Loader) WriteHelp(w io.Writer) error {
	l.prepare()
	var b strings.Builder
	usage := "Usage: " + l.Name + " [flags]"
	if l.Args != "" {
		usage += " " + l.Args
	}
	fmt.Fprintf(&b, "%s\n\n", usage)
	wrap(&b, "", l.Doc)
	b.WriteString("\n")
	wrap(&b, "", `Settings come from defaults, then the file, then the environment, then flags. A variable
		that is set to nothing counts: it makes a string or a list empty, and is an error for any other
		setting.`)
	b.WriteString("\n")
	rows := [][2]string{
		{"--config FILE", "read settings from a TOML file (environment: RHEA_CONFIG)"},
		{"--print-config", "print the settings in effect as TOML, and end"},
		{"--help", "print this, and end"},
		{"--version", "print the version, and end"},
	}
	for _, row := range rows {
		fmt.Fprintf(&b, "  %-16s  %s\n", row[0], row[1])
	}
	column := 0
	for k := range l.keys() {
		column = max(column, utf8.RuneCountInString(k.usage()))
	}
	column = min(column, 52)
	for _, s := range l.sections {
		b.WriteString("\n")
		wrap(&b, "", s.title())
		for _, k := range s.keys {
			line := fmt.Sprintf("  %-*s  %s", column, k.usage(), k.env())
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			wrap(&b, "      ", k.help)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (s *section) title() string {
	switch {
	case s.name == "":
		return s.help
	case s.help == "":
		return "[" + s.name + "]"
	}
	return "[" + s.name + "] " + s.help
}

// usage is the flag with its default.
func (k *key) usage() string {
	text := k.fallback
	if k.secret && text != "" {
		text = "***"
	}
	if text == "" || strings.ContainsAny(text, " \t\n") {
		text = fmt.Sprintf("%q", text)
	}
	return "--" + k.flag() + "=" + text
}

// wrap writes text broken into lines of helpWidth, each after prefix.
func wrap(b *strings.Builder, prefix, text string) {
	column := 0
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case column == 0:
			b.WriteString(prefix)
			column = utf8.RuneCountInString(prefix)
		case column+1+n > helpWidth:
			b.WriteString("\n" + prefix)
			column = utf8.RuneCountInString(prefix)
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += n
	}
	if column > 0 {
		b.WriteString("\n")
	}
}
