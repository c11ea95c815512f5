// Command gen writes the files that package reference makes of the code: `make gen`
// runs it at the top of the repository.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"rhea/rhea/settings/reference"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	files, err := reference.Files(root)
	if err != nil {
		return err
	}
	for path, text := range files {
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
