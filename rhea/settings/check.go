package settings

import "rhea/proto/stage"

// Check reads a file as every program of a relay together would, without
// environment and flags, and returns what is wrong with it: one line that names the
// place, nil if nothing.
func Check(path string) error {
	relay, common := Default(), stage.DefaultCommon()
	l := stage.Loader{Name: "rhea config check", Config: []any{&relay, &common}}
	_, _, err := l.Load([]string{"--config=" + path}, func(string) (string, bool) { return "", false })
	return err
}
