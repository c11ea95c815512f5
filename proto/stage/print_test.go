package stage

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// golden compares got with a file in testdata, or rewrites it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update rewrites it); got:\n%s", path, got)
	}
}

func TestHelp(t *testing.T) {
	c, common := testDefaults(), DefaultCommon()
	c.Gateway.Password = "swordfish"
	l := testLoader(&c)
	l.Config = append(l.Config, &common)
	l.Known = nil
	var b strings.Builder
	if err := l.WriteHelp(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "help.txt", b.String())
	for line := range strings.SplitSeq(b.String(), "\n") {
		if len([]rune(line)) > helpWidth {
			t.Errorf("wider than %d columns: %s", helpWidth, line)
		}
	}
}

func TestPrintConfig(t *testing.T) {
	c := testDefaults()
	c.Gateway.Password = "swordfish"
	c.Gateway.Allow = []string{"a\"b", "c\\d\x7f\n"}
	var b strings.Builder
	if err := testLoader(&c).WriteConfig(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "print-config.toml", b.String())
}

// TestPrintConfigReadsBack prints any configuration and loads the print over the
// defaults: all but the secret must come back.
func TestPrintConfigReadsBack(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		want := testConfig{
			Gateway: testGateway{
				Listen: rapid.String().Draw(t, "listen"), Compress: rapid.Bool().Draw(t, "compress"),
				Conns: rapid.Int().Draw(t, "conns"), Port: rapid.Uint16().Draw(t, "port"), Ratio: rapid.Float64().Draw(t, "ratio"),
				Idle:     time.Duration(rapid.Int64().Draw(t, "idle")),
				Allow:    rapid.SliceOf(rapid.String()).Draw(t, "allow"),
				Password: rapid.StringN(1, 9, 9).Draw(t, "password"),
			},
			testEmbedded: testEmbedded{
				Store: testStore{Cache: ByteSize(rapid.Int64Min(0).Draw(t, "cache")), Dir: rapid.StringN(1, -1, -1).Draw(t, "dir")},
			},
		}
		var b strings.Builder
		if err := testLoader(&want).WriteConfig(&b); err != nil {
			t.Fatal(err)
		}
		got := testDefaults()
		if _, _, err := testLoader(&got).Load([]string{"--config", writeFile(t, dir, b.String())}, env(nil)); err != nil {
			t.Fatalf("%v in:\n%s", err, b.String())
		}
		want.Gateway.Password = ""
		if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
			t.Fatalf("got  %#v\nwant %#v\nfrom:\n%s", got, want, b.String())
		}
	})
}
