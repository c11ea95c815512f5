package stage

import (
	"fmt"
	"strings"
)

// Nearest returns the one of words that a misspelt word was most likely meant to
// be, the first of several, or "" when none is near: about one letter in three may
// be wrong, missing, too many, or swapped with its neighbour.
func Nearest(word string, words []string) string {
	best, found := max(1, len(word)/3)+1, ""
	for _, w := range words {
		if d := distance(word, w); d < best && d < len(w) {
			best, found = d, w
		}
	}
	return found
}

// distance is the least number of letters to insert, remove, change or swap with a
// neighbour that makes b of a (Damerau and Levenshtein; optimal string alignment).
func distance(a, b string) int {
	var before []int // the row of the letter before the last
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// meant is the end of an error about a misspelt word: "; did you mean …?", or
// nothing.
func meant(word string) string {
	if word == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", word)
}

// nearestFlag returns the flag, with its dashes, that a misspelt one was meant to
// be. Section and key are compared apart, and a key is found without its section.
func (l *Loader) nearestFlag(name string) string {
	sectionName, keyName, dotted := strings.Cut(name, ".")
	if !dotted {
		plain := builtinFlags[:]
		for _, short := range l.Aliases {
			plain = append(plain, strings.TrimPrefix(short, "--"))
		}
		for k := range l.keys() {
			if k.section == "" {
				plain = append(plain, k.name)
			}
		}
		if near := Nearest(name, plain); near != "" {
			return "--" + near
		}
		sectionName, keyName = "", name
	}
	var sections []string
	for _, s := range l.sections {
		sections = append(sections, s.name)
	}
	near := Nearest(sectionName, sections)
	for _, s := range l.sections {
		if s.name != "" && s.name == near {
			if k := s.key(Nearest(keyName, s.keyNames())); k != nil {
				return "--" + k.flag()
			}
		}
	}
	if k := keyAnywhere(l.sections, keyName); k != nil {
		return "--" + k.flag()
	}
	return ""
}

// nearestKey says which key of a section, or else of another one, a misspelt one
// was meant to be.
func nearestKey(s *section, sections []*section, name string) string {
	if near := Nearest(name, s.keyNames()); near != "" {
		return near
	}
	if k := keyAnywhere(sections, name); k != nil {
		return fmt.Sprintf("%s in [%s]", name, k.section)
	}
	return ""
}

func (s *section) keyNames() []string {
	names := make([]string, len(s.keys))
	for i, k := range s.keys {
		names[i] = k.name
	}
	return names
}

// keyAnywhere returns the key of that name in the first section of a file that has
// one.
func keyAnywhere(sections []*section, name string) *key {
	for _, s := range sections {
		if k := s.key(name); k != nil && s.name != "" {
			return k
		}
	}
	return nil
}
