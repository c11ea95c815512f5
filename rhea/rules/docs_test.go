package rules

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A promise that names a test which does not exist is one that nobody keeps: the
// test may have been renamed, or never written.
func TestPagesNameTests(t *testing.T) {
	for _, page := range []struct {
		file, from string // what stands before from has no such tables
		least      int    // fewer, and the form has changed
	}{
		{"invariants.md", "# Invariants", 30},
		{"operations.md", "## Bad days", 25},
	} {
		text, err := os.ReadFile(filepath.Join(root(t), "docs", page.file))
		if err != nil {
			t.Fatal(err)
		}
		_, table, found := strings.Cut(string(text), page.from)
		if !found {
			t.Errorf("docs/%s has no %q", page.file, page.from)
		}
		if n := checkNamed(t, "docs/"+page.file, table); n < page.least {
			t.Errorf("docs/%s names only %d tests; has its form changed?", page.file, n)
		}
	}
}

// checkNamed checks that the tests which a page names by package are there, and
// returns how many it names.
func checkNamed(t *testing.T, page, text string) (found int) {
	t.Helper()
	group := regexp.MustCompile("`([a-z/0-9]+)` ([^;|]+)")
	name := regexp.MustCompile(`\b(Test|Fuzz)\w+`)
	for line := range strings.Lines(text) {
		for _, m := range group.FindAllStringSubmatch(line, -1) {
			dir := m[1]
			if dir == "e2e" || dir == "interop" {
				dir = "rhea/" + dir
			}
			for _, test := range name.FindAllString(m[2], -1) {
				found++
				if !declares(t, filepath.Join(root(t), dir), test) {
					t.Errorf("%s names %s in %s, which is not there", page, test, dir)
				}
			}
		}
	}
	return found
}

// declares says whether a package folder's tests declare a function.
func declares(t *testing.T, dir, function string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(src), "func "+function+"(") {
			return true
		}
	}
	return false
}

// Every transcript of a NIP is named by the page about the NIPs, which is where
// readers look for what proves a rule.
func TestTranscriptsAreListed(t *testing.T) {
	top := root(t)
	page, err := os.ReadFile(filepath.Join(top, "docs", "nips.md"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(top, "rhea", "e2e", "testdata", "nips", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, f := range files {
		if !strings.Contains(string(page), "/"+filepath.Base(f)+")") {
			t.Errorf("docs/nips.md does not name %s", filepath.Base(f))
		}
	}
}

// A link between the project's pages leads somewhere.
func TestLinks(t *testing.T) {
	top := root(t)
	pages, err := filepath.Glob(filepath.Join(top, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	decisions, err := filepath.Glob(filepath.Join(top, "docs", "decisions", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	for _, page := range append(append(pages, decisions...), filepath.Join(top, "README.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", filepath.Base(page), m[1])
			}
		}
	}
}
