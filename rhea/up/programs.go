package up

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"rhea/proto/subject"
)

// Find returns the path of every stage's program, rhea-<stage>: beside this
// executable or else on PATH. The error names all that are missing.
func Find() (map[subject.Stage]string, error) {
	dir := ""
	if self, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(self); err == nil {
			dir = filepath.Dir(real)
		}
	}
	return find(dir, exec.LookPath)
}

func find(dir string, lookPath func(string) (string, error)) (map[subject.Stage]string, error) {
	found := make(map[subject.Stage]string)
	var missing []string
	for _, stage := range subject.Stages() {
		name := "rhea-" + string(stage)
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); dir == "" || err != nil || info.IsDir() {
			if path, err = lookPath(name); err != nil {
				missing = append(missing, name)
				continue
			}
		}
		found[stage] = path
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%s not found in %s or on PATH; every stage is a program of its own (`rhea solo` needs none)",
			strings.Join(missing, ", "), dir)
	}
	return found, nil
}
