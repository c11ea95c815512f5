package up

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rhea/proto/subject"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for _, stage := range subject.Stages() {
		if stage == subject.Gateway || stage == subject.Writer {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, "rhea-"+string(stage)), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	onPath := func(name string) (string, error) {
		if name == "rhea-gateway" {
			return "/usr/bin/rhea-gateway", nil
		}
		return "", errors.New("no")
	}
	if _, err := find(dir, onPath); err == nil || !strings.HasPrefix(err.Error(), "rhea-writer not found in "+dir) {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "rhea-writer"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	found, err := find(dir, onPath)
	if err != nil || len(found) != 6 || found[subject.Gateway] != "/usr/bin/rhea-gateway" ||
		found[subject.Writer] != filepath.Join(dir, "rhea-writer") {
		t.Fatal(found, err)
	}
}
