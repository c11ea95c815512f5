package rules

import (
	"os"
	"path/filepath"
	"testing"

	"rhea/rhea/settings/reference"
)

// What the documents say of the settings is what the code says.
func TestReferenceIsUpToDate(t *testing.T) {
	top := root(t)
	files, err := reference.Files(top)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range files {
		got, err := os.ReadFile(filepath.Join(top, filepath.FromSlash(path)))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is not what the code says any more: run make gen", path)
		}
	}
}
