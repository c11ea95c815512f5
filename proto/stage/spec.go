package stage

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// section is one struct of settings, found by walking a configuration.
type section struct {
	name   string // "" for one of the command line alone (tag "-")
	help   string
	keys   []*key
	holder reflect.Value // the struct itself, addressable
}

// key is one setting.
type key struct {
	section  string
	name     string
	help     string
	secret   bool
	live     bool // a change is in force without a restart
	value    reflect.Value
	fallback string // text of the value before anything was loaded
}

// flag is the setting's name on the command line, without dashes.
func (k *key) flag() string {
	if k.section == "" {
		return k.name
	}
	return k.section + "." + k.name
}

// env is the setting's environment variable, "" when it has none.
func (k *key) env() string {
	if k.section == "" {
		return ""
	}
	return "RHEA_" + strings.ToUpper(strings.ReplaceAll(k.section+"_"+k.name, "-", "_"))
}

// envName is the section's part of its keys' environment variables.
func (s *section) envName() string { return strings.ToUpper(strings.ReplaceAll(s.name, "-", "_")) }

// sectionsOf walks pointers to structs of sections. A shape that breaks the rules
// of Loader.Config is a defect of the program, not of its input: it panics.
func sectionsOf(configs []any) []*section {
	var all []*section
	for _, c := range configs {
		v := reflect.ValueOf(c)
		if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
			panic(fmt.Sprintf("stage: configuration %T is not a pointer to a struct", c))
		}
		all = appendSections(all, v.Elem())
	}
	flags := make(map[string]bool)
	for _, s := range all {
		for _, k := range s.keys {
			if flags[k.flag()] || slices.Contains(builtinFlags[:], k.flag()) {
				panic("stage: two settings are called --" + k.flag())
			}
			flags[k.flag()] = true
		}
	}
	return all
}

func appendSections(all []*section, config reflect.Value) []*section {
	for i := range config.NumField() {
		f := config.Type().Field(i)
		name, tagged := f.Tag.Lookup("toml")
		switch {
		case f.Anonymous && !tagged && f.Type.Kind() == reflect.Struct:
			all = appendSections(all, config.Field(i))
			continue
		case !f.IsExported() || !tagged:
			continue
		case f.Type.Kind() != reflect.Struct || strings.ContainsAny(name, "_. ") || name == "":
			panic(fmt.Sprintf("stage: %s.%s is not a section", config.Type(), f.Name))
		}
		if name == "-" {
			name = ""
		}
		s := &section{name: name, help: f.Tag.Get("help"), holder: config.Field(i)}
		s.addKeys()
		all = append(all, s)
	}
	return all
}

func (s *section) addKeys() {
	for i := range s.holder.NumField() {
		f := s.holder.Type().Field(i)
		name := f.Tag.Get("toml")
		if !f.IsExported() || name == "" || name == "-" {
			continue
		}
		k := &key{
			section: s.name, name: name, help: f.Tag.Get("help"),
			secret: f.Tag.Get("secret") == "true", live: f.Tag.Get("live") == "true", value: s.holder.Field(i),
		}
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
			panic(fmt.Sprintf("stage: %s.%s: %q is not a key", s.holder.Type(), f.Name, name))
		}
		if !k.supported() {
			panic(fmt.Sprintf("stage: %s.%s: a setting cannot be of type %s", s.holder.Type(), f.Name, f.Type))
		}
		k.fallback = k.text()
		s.keys = append(s.keys, k)
	}
}

func (s *section) key(name string) *key {
	for _, k := range s.keys {
		if k.name == name {
			return k
		}
	}
	return nil
}

// validate calls the section's Validate, if it has one.
func (s *section) validate() error {
	v, ok := s.holder.Addr().Interface().(interface{ Validate() error })
	if !ok {
		return nil
	}
	err := v.Validate()
	if err != nil && s.name != "" {
		return fmt.Errorf("[%s] %w", s.name, err)
	}
	return err
}
