package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rhea/proto/subject"
)

// root is the top of the repository.
func root(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOWORK").Output()
	work := strings.TrimSpace(string(out))
	if err != nil || work == "" || work == "off" {
		t.Skip("not in the workspace")
	}
	return filepath.Dir(work)
}

// pkg is what go list tells of a package.
type pkg struct {
	ImportPath, Name, Doc, Dir         string
	GoFiles                            []string
	Imports, TestImports, XTestImports []string
	Deps                               []string
}

func (p pkg) within(module string) bool {
	return p.ImportPath == module || strings.HasPrefix(p.ImportPath, module+"/")
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Name,Doc,Dir,GoFiles,Imports,TestImports,XTestImports,Deps", "work")
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 15 {
		t.Fatalf("go list knows only %d packages", len(all))
	}
	return all
}

// stageOf returns the stage whose module a package belongs to, "" if none's.
func stageOf(path string) string {
	for _, stage := range subject.Stages() {
		if (pkg{ImportPath: path}).within("rhea/" + string(stage)) {
			return string(stage)
		}
	}
	return ""
}

func TestArrows(t *testing.T) {
	for _, complaint := range arrows(packages(t)) {
		t.Error(complaint)
	}
}

// arrows finds imports against the order proto ← stage ← rhea.
func arrows(all []pkg) (complaints []string) {
	no := func(p pkg, dependency, why string) {
		complaints = append(complaints, p.ImportPath+" depends on "+dependency+": "+why)
	}
	for _, p := range all {
		direct := slices.Concat(p.Imports, p.TestImports, p.XTestImports)
		if p.within("rhea/proto") {
			for _, d := range slices.Concat(p.Deps, direct) {
				if stageOf(d) != "" {
					no(p, d, "proto is what two processes must agree on, and knows none of them")
				}
				if strings.HasPrefix(d, "github.com/cockroachdb/pebble") || strings.HasPrefix(d, "github.com/nats-io/nats-server") {
					no(p, d, "every process links proto; the store is the writer's and the server is rhea's")
				}
			}
		}
		if p.within("rhea/rhea") {
			continue
		}
		for _, d := range direct {
			if strings.HasPrefix(d, "rhea/rhea/") {
				no(p, d, "the whole knows its parts, never the other way, so that a part can run without it")
			}
			if own, other := stageOf(p.ImportPath), stageOf(d); own != "" && other != "" && own != other && !readsReplica(own, d) {
				no(p, d, "stages talk over the bus alone, so that each can run on its own machine")
			}
		}
	}
	return complaints
}

func TestArrowsAgainstTheOrder(t *testing.T) {
	for _, c := range []struct {
		from, to string
		wrong    bool
	}{
		{"rhea/proto/bus", "rhea/monitor", true},
		{"rhea/proto/bus", "rhea/rhea/up", true},
		{"rhea/proto/bus", "github.com/nats-io/nats-server/v2/server", true},
		{"rhea/proto/bus", "github.com/nats-io/nats.go", false},
		{"rhea/monitor", "rhea/ingester", true},
		{"rhea/monitor", "rhea/writer/store", true},
		{"rhea/reqworker", "rhea/writer/store", false},
		{"rhea/reqworker", "rhea/writer", true},
		{"rhea/writer", "rhea/writer/store", false},
		{"rhea/writer/cmd/rhea-writer", "rhea/proto/bus", false},
		{"rhea/writer/cmd/rhea-writer", "rhea/rhea/up", true},
		{"rhea/rhea/solo", "rhea/writer", false},
	} {
		for _, p := range []pkg{
			{ImportPath: c.from, Imports: []string{c.to}},
			{ImportPath: c.from, XTestImports: []string{c.to}},
		} {
			if got := arrows([]pkg{p}); len(got) > 0 != c.wrong {
				t.Errorf("%s → %s: %q", c.from, c.to, got)
			}
		}
	}
}

// readsReplica says whether a stage may use the store's package to read a replica
// of its own.
func readsReplica(stage, path string) bool {
	return path == "rhea/writer/store" && (stage == string(subject.Reqworker) || stage == string(subject.Negentropy))
}

func TestPackageDocs(t *testing.T) {
	for _, p := range packages(t) {
		if p.Doc == "" && len(p.GoFiles) > 0 {
			t.Errorf("%s has no package comment: say what it owns and what it refuses to know", p.ImportPath)
		}
	}
}

func TestPackageNames(t *testing.T) {
	for _, p := range packages(t) {
		if slices.Contains([]string{"util", "utils", "common", "helpers", "types", "base"}, p.Name) {
			t.Errorf("%s: a package called %s says nothing of what belongs into it", p.ImportPath, p.Name)
		}
	}
}

func TestNoInit(t *testing.T) {
	for _, p := range packages(t) {
		for _, name := range p.GoFiles {
			if strings.HasSuffix(name, ".pb.go") {
				continue // generated code registers itself
			}
			path := filepath.Join(p.Dir, name)
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Error(err)
				continue
			}
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
					t.Errorf("%s has an init function: what a program does begins in its main, and everything comes in through constructors", path)
				}
			}
		}
	}
}

func TestSpine(t *testing.T) {
	top := root(t)
	for _, stage := range subject.Stages() {
		name := string(stage)
		for _, file := range []string{"doc.go", "config.go", name + ".go", "metrics.go", "cmd/rhea-" + name + "/main.go"} {
			if _, err := os.Stat(filepath.Join(top, name, filepath.FromSlash(file))); err != nil {
				t.Errorf("%s/%s is missing: who knows one stage finds the way in all of them", name, file)
			}
		}
	}
}

// tracked lists the files of the repository, slash separated.
func tracked(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z")
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Skip("not a git checkout")
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

func TestTopLevel(t *testing.T) {
	allowed := []string{
		"proto", "gateway", "ingester", "writer", "reqworker", "monitor", "negentropy", "rhea", "docs",
		"README.md", "LICENSE", "Makefile", "Dockerfile", "compose.yaml", "go.work", "go.work.sum",
		".ci", ".gitignore", ".dockerignore",
	}
	seen := make(map[string]bool)
	for _, file := range tracked(t) {
		entry, _, _ := strings.Cut(file, "/")
		if !seen[entry] && !slices.Contains(allowed, entry) {
			t.Errorf("%s stands at the top level: a newcomer should see the modules there and little else", entry)
		}
		seen[entry] = true
	}
}

// machinePath is an absolute path that exists on somebody's machine alone: in a
// home directory, in a work directory, under a named temporary one; or a path
// that leaves the repository for a neighbour.
func machinePath() *regexp.Regexp {
	return regexp.MustCompile("(^|[\\s\"'`(=:,])(/(home|Users|root|work|workspace|tmp/[a-z]+)/|\\.\\./shared/)")
}

func TestNoMachinePaths(t *testing.T) {
	top, pattern := root(t), machinePath()
	for _, file := range tracked(t) {
		text, err := os.ReadFile(filepath.Join(top, filepath.FromSlash(file)))
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted, not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(text, 0) >= 0 {
			continue
		}
		for n, line := range bytes.Split(text, []byte("\n")) {
			if found := pattern.Find(line); found != nil {
				t.Errorf("%s:%d names %q: a path of one machine means nothing on the next", file, n+1, strings.TrimSpace(string(found)))
			}
		}
	}
}

func TestMachinePathPattern(t *testing.T) {
	for text, want := range map[string]bool{
		"see \x2fhome/me/x": true, "cat '\x2fwork/a'": true, "\x2ftmp/x/y": true, ".\x2e/shared/": true,
		"https://example.org\x2fwork/x": false, "/var/lib/rhea": false, "/data": false, "network/": false,
	} {
		if got := machinePath().MatchString(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
