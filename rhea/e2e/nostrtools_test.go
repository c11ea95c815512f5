package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rhea/proto/nostr"
)

// node is a folder with nostr-tools from npm and a script of testdata. It needs node,
// npm and a package registry, so it is there only when asked for: RHEA_E2E_NPM=1.
func node(t *testing.T, name string) (dir string, run func(args ...string) string) {
	t.Helper()
	if os.Getenv("RHEA_E2E_NPM") == "" {
		t.Skip("RHEA_E2E_NPM is not set")
	}
	dir = t.TempDir()
	script, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"test.mjs": string(script), "package.json": `{"type":"module","private":true}`} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run = func(args ...string) string {
		t.Helper()
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	run("npm", "install", "--no-audit", "--no-fund", "nostr-tools@2.25.2", "ws@8")
	return dir, run
}

// nostr-tools from npm publishes, queries and subscribes.
func TestNostrTools(t *testing.T) {
	_, run := node(t, "nostr-tools.mjs")
	r := start(t, "up", "", nil)
	if out := run("node", "test.mjs", r.url); !strings.HasSuffix(strings.TrimSpace(out), "ok") {
		t.Fatal(out)
	}
}

// ws from npm, which most clients outside of browsers are built on, compresses what it
// says and is told what it would be told uncompressed.
func TestDeflateOfNode(t *testing.T) {
	_, run := node(t, "deflate.mjs")
	r := start(t, "up", "", nil)
	if out := run("node", "test.mjs", r.url); !strings.HasSuffix(strings.TrimSpace(out), "ok") {
		t.Fatal(out)
	} else {
		t.Log(out)
	}
}

// nostr-tools' negentropy finds the differences, by the tree and by a scan.
func TestNostrToolsNegentropy(t *testing.T) {
	dir, run := node(t, "nostr-tools-nip77.mjs")
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	stored, others := unsigned(rng, 1, 2000), unsigned(rng, 2, 2000)
	half := len(stored) / 2
	r := start(t, "up", "", nil, "RHEA_NEGENTROPY_FRAME_BYTES=4096")
	r.fill(stored)
	for name, c := range map[string]struct{ mine, have, need []*nostr.Event }{
		"nothing":    {stored, nil, nil},
		"one":        {append([]*nostr.Event{others[0]}, stored[1:]...), others[:1], stored[:1]},
		"half":       {append(slices.Clone(others[:half]), stored[half:]...), others[:half], stored[:half]},
		"everything": {others, others, stored},
		"all of it":  {nil, nil, stored},
	} {
		var lines strings.Builder
		for _, e := range c.mine {
			fmt.Fprintln(&lines, e.CreatedAt, e.ID)
		}
		if err := os.WriteFile(filepath.Join(dir, "mine"), []byte(lines.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, filter := range []string{`{}`, `{"kinds":[1]}`} {
			var found struct{ Have, Need []string }
			if err := json.Unmarshal([]byte(run("node", "test.mjs", r.url, filter, "mine")), &found); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(found.Have, sortedIDs(c.have)) || !slices.Equal(found.Need, sortedIDs(c.need)) {
				t.Errorf("%s %s: has %d and needs %d, want %d and %d", name, filter, len(found.Have), len(found.Need), len(c.have), len(c.need))
			}
		}
	}
}
