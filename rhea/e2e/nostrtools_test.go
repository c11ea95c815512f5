package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// nostr-tools from npm publishes, queries and subscribes. It needs node, npm and
// a package registry, so it runs only when asked: RHEA_E2E_NPM=1.
func TestNostrTools(t *testing.T) {
	if os.Getenv("RHEA_E2E_NPM") == "" {
		t.Skip("RHEA_E2E_NPM is not set")
	}
	dir := t.TempDir()
	script, err := os.ReadFile("testdata/nostr-tools.mjs")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "test.mjs"), script, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"type":"module","private":true}`), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) string {
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	run("npm", "install", "--no-audit", "--no-fund", "nostr-tools@2.25.2", "ws@8")
	r := start(t, "up", "", nil)
	if out := run("node", "test.mjs", r.url); !strings.HasSuffix(strings.TrimSpace(out), "ok") {
		t.Fatal(out)
	}
}
