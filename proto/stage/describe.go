package stage

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strings"
)

// SectionInfo describes one section of a configuration.
type SectionInfo struct {
	Name, Help string
	Keys       []KeyInfo
}

// KeyInfo describes one setting.
type KeyInfo struct {
	Name    string
	Help    string // its effect and unit
	Takes   string // type and bounds, in words: "duration, 1s to 1h"
	Default string // as it stands in a file
	Env     string // its variable
	Live    bool   // a change is in force without a restart
}

// Describe returns every section of a file with all its settings, in order.
func (l *Loader) Describe() []SectionInfo {
	l.prepare()
	var all []SectionInfo
	for _, s := range l.sections {
		if s.name == "" {
			continue
		}
		info := SectionInfo{Name: s.name, Help: s.help}
		for _, k := range s.keys {
			info.Keys = append(info.Keys, KeyInfo{
				Name: k.name, Help: k.help, Takes: s.takes(k), Default: k.toml(), Env: k.env(), Live: k.live,
			})
		}
		all = append(all, info)
	}
	return all
}

// takes says what a setting may be. The bounds are what Validate answers to an
// absurd value, and so are what an operator is told who has missed them.
func (s *section) takes(k *key) string {
	kind := k.short()
	copied := &section{name: s.name, holder: reflect.New(s.holder.Type()).Elem()}
	copied.holder.Set(s.holder)
	copied.addKeys()
	probe := copied.key(k.name)
	if err := probe.absurd(); err != nil {
		return kind + wanted(err)
	}
	if err := copied.validate(); err != nil && strings.Contains(err.Error(), k.name) {
		if probe.value.Type() == byteSizeType {
			return kind + inUnits(wanted(err))
		}
		return kind + wanted(err)
	}
	return kind
}

// absurd sets a value that nobody can want.
func (k *key) absurd() error {
	switch {
	case k.unmarshaler() != nil && !k.value.CanInt():
		return k.setText("?")
	case k.value.Kind() == reflect.String:
		k.value.SetString("?")
	case k.value.CanInt():
		k.value.SetInt(math.MinInt64 >> (64 - k.value.Type().Bits()))
	}
	return nil
}

// wanted is the end of an error that says what is wanted, after a comma.
func wanted(err error) string {
	m := regexp.MustCompile(`: want (more than \S+|\S+ to [^ ,]+|[^()]+)`).FindStringSubmatch(err.Error())
	if m == nil {
		return ""
	}
	return ", " + m[1]
}

// inUnits writes numbers of bytes as sizes.
func inUnits(text string) string {
	return regexp.MustCompile(`\b[0-9]+\b`).ReplaceAllStringFunc(text, func(digits string) string {
		var size ByteSize
		if size.UnmarshalText([]byte(digits)) != nil {
			return digits
		}
		return size.String()
	})
}

// short is the setting's type in a word or two.
func (k *key) short() string {
	switch t := k.value.Type(); {
	case t == durationType:
		return "duration"
	case t == byteSizeType:
		return "size"
	case t == listType:
		return "list"
	case k.unmarshaler() != nil || t.Kind() == reflect.String:
		return "string"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Float64:
		return "number"
	}
	return "whole number"
}

// Example returns the text of a file with every setting commented out, at its
// default, below its help. It is called before Load.
func (l *Loader) Example() string {
	var b strings.Builder
	for i, s := range l.Describe() {
		if i > 0 {
			b.WriteString("\n")
		}
		wrap(&b, "# ", s.Help)
		fmt.Fprintf(&b, "[%s]\n", s.Name)
		for _, k := range s.Keys {
			b.WriteString("\n")
			wrap(&b, "# ", k.Help)
			fmt.Fprintf(&b, "#%s = %s\n", k.Name, k.Default)
		}
	}
	return b.String()
}
