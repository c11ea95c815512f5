package reference

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"

	"rhea/proto/stage"
	"rhea/rhea/settings"
)

// The example is a file that works, both as it stands and with every setting taken
// in, and says what is so without it.
func TestExample(t *testing.T) {
	text := exampleIntro + loader().Example()
	all := regexp.MustCompile(`(?m)^#([a-z_]+ = )`).ReplaceAllString(text, "$1")
	if all == text {
		t.Fatal("nothing is commented out")
	}
	for _, file := range []string{text, all} {
		path := filepath.Join(t.TempDir(), "rhea.toml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		relay, common := settings.Default(), stage.DefaultCommon()
		l := stage.Loader{Name: "rhea", Config: []any{&relay, &common}}
		if _, _, err := l.Load([]string{"--config", path}, func(string) (string, bool) { return "", false }); err != nil {
			t.Fatal(err)
		}
		want := settings.Default()
		normal(&relay)
		normal(&want)
		if !reflect.DeepEqual(relay, want) || common != stage.DefaultCommon() {
			t.Errorf("got  %+v\nwant %+v", relay, want)
		}
	}
}

// normal makes lists that are empty in different ways the same.
func normal(r *settings.Relay) {
	if len(r.Gateway.TrustedProxies) == 0 {
		r.Gateway.TrustedProxies = nil
	}
	if len(r.Policy.URLs) == 0 {
		r.Policy.URLs = nil
	}
	if len(r.Policy.KindPoW) == 0 {
		r.Policy.KindPoW = nil
	}
}
