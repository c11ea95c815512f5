package operate

import (
	"fmt"
	"io"
	"os"
	"strings"

	"rhea/rhea/datadir"
	"rhea/writer/store"
)

// Check checks the store in dir, which belongs to the relay on the data
// directory, and prints what it finds. Sound says whether everything fits. It
// refuses to look while the relay runs.
func Check(data, dir string, w io.Writer) (sound bool, err error) {
	running, err := datadir.Running(data)
	if err != nil {
		return false, err
	}
	if running != nil {
		return false, fmt.Errorf("%w; stop it first, a store that is written cannot be checked", running)
	}
	if _, err := os.Stat(dir); err != nil {
		return false, fmt.Errorf("there is no store: %w", err)
	}
	report, err := store.Check(dir, store.Options{})
	if err != nil {
		return false, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "store %s\n", dir)
	for _, row := range []struct {
		n    uint64
		what string
	}{
		{uint64(report.Head), "is the last seq"},
		{report.Events, "events"},
		{report.Ephemeral, "ephemeral events still in the log"},
		{report.Removed, "events that have left the store"},
		{report.Deletions, "tombstones of deletion requests"},
		{report.Vanished, "authors who have vanished"},
		{report.Vanishing, "of them whose events are not all removed yet, which goes on when the relay runs"},
		{report.Hidden, "events of these, which nobody is shown"},
		{report.IndexKeys, "index keys"},
	} {
		fmt.Fprintf(&b, "%12d  %s\n", row.n, row.what)
	}
	for _, problem := range report.Problems {
		fmt.Fprintf(&b, "problem: %s\n", problem)
	}
	if report.More {
		b.WriteString("and more problems\n")
	}
	if sound = len(report.Problems) == 0; sound {
		b.WriteString("the store is sound\n")
	}
	_, err = io.WriteString(w, b.String())
	return sound, err
}
