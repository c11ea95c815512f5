package record

import (
	"fmt"
	"strings"

	"rhea/proto/subject"
)

// Subjects makes full subjects of those that are relative to the deployment; none
// means everything.
func Subjects(prefix string, relative []string) []string {
	if len(relative) == 0 {
		relative = []string{">"}
	}
	root := prefix + "." + subject.Version + "."
	var full []string
	for _, s := range relative {
		full = append(full, root+strings.TrimPrefix(s, root))
	}
	return full
}

// CheckSubjects refuses subjects that are none, and those of which one says what
// another does: a message would be recorded twice.
func CheckSubjects(list []string) error {
	for i, s := range list {
		tokens := strings.Split(s, ".")
		for k, token := range tokens {
			if token == "" || strings.ContainsAny(token, " \t\r\n") || token == ">" && k != len(tokens)-1 ||
				len(token) > 1 && strings.ContainsAny(token, "*>") {
				return fmt.Errorf("%q is no subject: want words with dots between them, * for any word, > for any rest", s)
			}
		}
		for _, other := range list[:i] {
			if overlap(strings.Split(other, "."), tokens) {
				return fmt.Errorf("the subjects %q and %q overlap: messages would be recorded twice", other, s)
			}
		}
	}
	return nil
}

// overlap says whether a subject exists that both patterns cover.
func overlap(a, b []string) bool {
	for i := 0; i < len(a) && i < len(b); i++ {
		if a[i] == ">" || b[i] == ">" {
			return true
		}
		if a[i] != b[i] && a[i] != "*" && b[i] != "*" {
			return false
		}
	}
	return len(a) == len(b)
}

// prefixOf is the deployment's, without the version.
func prefixOf(space subject.Space) string {
	return strings.TrimSuffix(space.All(), "."+subject.Version+".>")
}
