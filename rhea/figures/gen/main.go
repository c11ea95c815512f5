// Command gen writes docs/metrics.md and the dashboard: `make gen` runs it at the top
// of the repository.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"rhea/rhea/dashboard"
	"rhea/rhea/figures"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run() error {
	list, err := figures.List(context.Background())
	if err != nil {
		return err
	}
	board, err := dashboard.JSON()
	if err != nil {
		return err
	}
	for path, text := range map[string][]byte{figures.Page: []byte(figures.Markdown(list)), dashboard.Path: board} {
		if err := os.WriteFile(filepath.FromSlash(path), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
