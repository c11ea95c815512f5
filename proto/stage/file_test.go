package stage

import (
	"strings"
	"testing"
)

// FuzzFile looks for text that breaks the reader of files, and checks that an
// error is one line that names the file.
func FuzzFile(f *testing.F) {
	for _, text := range []string{
		"[gateway]\nlisten = \"x\"\n", "gateway.port = 1", "[[writer]]\n", "[writer]\ncache = \"1MiB\"\n",
		"a.b.c = 1979-05-27", "[gateway]\nratio = nan\nallow = [\"\", []]", "[writer.cache]\nx = '''\n'''",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := testDefaults()
		err := applyFile("rhea.toml", text, sectionsOf([]any{&c}), []string{"monitor"})
		if err != nil && (!strings.HasPrefix(err.Error(), "rhea.toml:") || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%q", err)
		}
	})
}
