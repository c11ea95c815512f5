package stage

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// applyFile sets the keys that a TOML file names. Sections in known that are not
// among sections belong to other programs and are passed over unread.
func applyFile(path, text string, sections []*section, known []string) error {
	var tables map[string]any
	if _, err := toml.Decode(text, &tables); err != nil {
		if bad, ok := errors.AsType[toml.ParseError](err); ok {
			return fmt.Errorf("%s:%d: %s", path, bad.Position.Line, bad.Message)
		}
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		table, isTable := tables[name].(map[string]any)
		if !isTable {
			return fmt.Errorf("%s: %q is not a section: want [section], and its keys below", at(path, text, "", name), name)
		}
		i := slices.IndexFunc(sections, func(s *section) bool { return s.name == name })
		if i < 0 {
			if !slices.Contains(known, name) {
				near := Nearest(name, known)
				if near != "" {
					near = "[" + near + "]"
				}
				return fmt.Errorf("%s: no Rhea program has a section [%s]%s", at(path, text, name, ""), name, meant(near))
			}
			continue
		}
		for _, keyName := range slices.Sorted(maps.Keys(table)) {
			k := sections[i].key(keyName)
			if k == nil {
				near := nearestKey(sections[i], sections, keyName)
				return fmt.Errorf("%s: [%s] has no key %q%s", at(path, text, name, keyName), name, keyName, meant(near))
			}
			if err := k.setTOML(table[keyName]); err != nil {
				return fmt.Errorf("%s: %s.%s: %w", at(path, text, name, keyName), name, keyName, err)
			}
		}
	}
	return nil
}

// at returns path:line of a key (or, without one, of a section's header). The
// decoder keeps no positions, so this looks for the usual spelling, one key per
// line under [section] or as section.key, and names the path alone when there is
// no such line.
func at(path, text, section, key string) string {
	current := ""
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		found := false
		if header, ok := strings.CutPrefix(line, "["); ok {
			current = unquoted(strings.Trim(header, "[]"))
			found = key == "" && current == section
		} else if name, _, ok := strings.Cut(line, "="); ok {
			name = unquoted(name)
			found = key != "" && (current == section && name == key || current == "" && name == section+"."+key) ||
				key == "" && current == "" && (name == section || strings.HasPrefix(name, section+"."))
		}
		if found {
			return fmt.Sprintf("%s:%d", path, i+1)
		}
	}
	return path
}

func unquoted(name string) string { return strings.Trim(strings.TrimSpace(name), `"'`) }
