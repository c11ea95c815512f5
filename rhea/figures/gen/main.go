// Command gen writes docs/metrics.md: `make gen` runs it at the top of the
// repository.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"rhea/rhea/figures"
)

func main() {
	list, err := figures.List(context.Background())
	if err == nil {
		err = os.WriteFile(filepath.FromSlash(figures.Page), []byte(figures.Markdown(list)), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}
