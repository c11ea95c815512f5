package store

import (
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"rhea/proto/nostr"
)

// TestUnreadableValues has reads fail of the files that hold the values of the log, but
// not of those that hold its keys. Whoever reads says so, rather than what is wrong with
// nothing at all.
func TestUnreadableValues(t *testing.T) {
	var failing errorfs.Toggle
	failing.Injector = errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileReadAt && strings.HasSuffix(op.Path, ".blob") {
			return errorfs.ErrInjected
		}
		return nil
	})
	fs := vfs.NewMem()
	s := openMem(t, Options{FS: fs})
	load(t, s, many(1, 1, 20))
	if err := errors.Join(s.db.Flush(), s.Close()); err != nil {
		t.Fatal(err)
	}
	s = openMem(t, Options{FS: errorfs.Wrap(fs, &failing)})
	failing.On()
	defer failing.Off()
	withView(t, s, func(v *View) {
		for name, read := range map[string]func() error{
			"Log":   func() error { _, err := v.Log(1, 0); return err },
			"Check": func() error { _, err := v.Check(); return err },
			"Scan": func() error {
				_, err := v.Scan(ScanRequest{Filters: []nostr.Filter{nostr.All()}, Everything: true})
				return err
			},
		} {
			if err := read(); !errors.Is(err, errorfs.ErrInjected) || strings.Contains(err.Error(), errLogValue.Error()) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
