package stage

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite testdata")

// testConfig has a setting of every type.
type testConfig struct {
	Gateway testGateway `toml:"gateway" help:"the edge"`
	testEmbedded
	Command testCommand `toml:"-" help:"What to do:"`
	private int
}

type testEmbedded struct {
	Store testStore `toml:"writer" help:"where events are kept"`
}

type testGateway struct {
	Listen   string        `toml:"listen" help:"address for clients"`
	Compress bool          `toml:"compress" help:"offer permessage-deflate, which costs a good deal of memory for each connection and is worth it where traffic is dear"`
	Conns    int           `toml:"max_conns" help:"connections at once"`
	Port     uint16        `toml:"port" help:"a small number"`
	Ratio    float64       `toml:"ratio" help:"a fraction"`
	Idle     time.Duration `toml:"idle" help:"how long a silent connection is kept"`
	Allow    []string      `toml:"allow" help:"public keys that may write; empty: all"`
	Password string        `toml:"password" help:"what opens the door" secret:"true"`
	Untagged int
}

type testStore struct {
	Cache ByteSize `toml:"cache" help:"memory for blocks"`
	Dir   string   `toml:"dir" help:"folder"`
}

func (s *testStore) Validate() error {
	if s.Dir == "" {
		return errors.New("dir is empty: want a folder")
	}
	return nil
}

type testCommand struct {
	Follow bool `toml:"follow" help:"do not end"`
}

func testDefaults() testConfig {
	return testConfig{
		Gateway: testGateway{Listen: "127.0.0.1:7777", Conns: 1000, Port: 7, Ratio: 0.5, Idle: time.Minute},
		testEmbedded: testEmbedded{
			Store: testStore{Cache: 64 << 20, Dir: "rhea-data"},
		},
	}
}

func testLoader(c any) *Loader {
	return &Loader{
		Name: "rhea-test", Args: "[FILE]",
		Doc:    "Rhea-test shows what the help of a program looks like, with a paragraph that is long enough to be broken into lines.",
		Config: []any{c}, Known: []string{"gateway", "writer", "monitor"},
	}
}

// env turns a map into an os.LookupEnv.
func env(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, given := vars[name]
		return value, given
	}
}

func writeFile(t interface {
	Helper()
	Fatal(...any)
}, dir, text string) string {
	t.Helper()
	path := filepath.Join(dir, "rhea.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadPrecedence(t *testing.T) {
	const file = "[gateway]\nlisten = \"file\"\nmax_conns = 2\nidle = \"2s\"\nallow = [\"a,b\", \"c\"]\n[writer]\ncache = 2\n"
	vars := map[string]string{"RHEA_GATEWAY_MAX_CONNS": "3", "RHEA_GATEWAY_IDLE": "3s", "RHEA_FOLLOW": "true"}
	c := testDefaults()
	args := []string{"one", "--gateway.idle=4s", "--gateway.idle", "5s", "--gateway.compress", "--config", writeFile(t, t.TempDir(), file), "--", "--two"}
	rest, mode, err := testLoader(&c).Load(args, env(vars))
	if err != nil || mode != ModeRun || !reflect.DeepEqual(rest, []string{"one", "--two"}) {
		t.Fatalf("got %q, mode %d, %v", rest, mode, err)
	}
	want := testDefaults()
	want.Gateway.Listen = "file"
	want.Gateway.Allow = []string{"a,b", "c"}
	want.Store.Cache = 2
	want.Gateway.Conns = 3
	want.Gateway.Idle = 5 * time.Second
	want.Gateway.Compress = true
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

// What is set to nothing is set, and so goes over what the file says.
func TestLoadEmpty(t *testing.T) {
	path := writeFile(t, t.TempDir(), "[gateway]\nlisten = \"file\"\nallow = [\"a\"]\n")
	want := testDefaults()
	want.Gateway.Listen, want.Gateway.Allow = "", []string{}
	for from, c := range map[string]struct {
		args []string
		vars map[string]string
	}{
		"flags":       {[]string{"--gateway.listen=", "--gateway.allow", ""}, map[string]string{"RHEA_CONFIG": path}},
		"environment": {[]string{"--config", path}, map[string]string{"RHEA_GATEWAY_LISTEN": "", "RHEA_GATEWAY_ALLOW": ""}},
	} {
		got := testDefaults()
		if _, _, err := testLoader(&got).Load(c.args, env(c.vars)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got  %+v, %v\nwant %+v", from, got, err, want)
		}
	}
	for from, c := range map[string]struct {
		args   []string
		config string
	}{"flag": {[]string{"--config="}, path}, "environment": {nil, ""}} {
		got := testDefaults()
		_, _, err := testLoader(&got).Load(c.args, env(map[string]string{"RHEA_CONFIG": c.config}))
		if err != nil || !reflect.DeepEqual(got, testDefaults()) {
			t.Errorf("no file by %s: %+v, %v", from, got, err)
		}
	}
}

func TestLoadEveryTypeFromText(t *testing.T) {
	want := testDefaults()
	want.Gateway = testGateway{
		Listen: "-x", Compress: true, Conns: -4, Port: 65535, Ratio: 1e-3, Idle: 90 * time.Minute,
		Allow: []string{"a", "b"}, Password: "p",
	}
	want.Store = testStore{Cache: 3 << 10, Dir: "d"}
	values := map[string]string{
		"gateway.listen": "-x", "gateway.compress": "1", "gateway.max_conns": "-4", "gateway.port": "65535",
		"gateway.ratio": "0.001", "gateway.idle": "1h30m", "gateway.allow": " a,,b ", "gateway.password": "p",
		"writer.cache": "3KiB", "writer.dir": "d",
	}
	vars := map[string]string{}
	var args []string
	for name, value := range values {
		args = append(args, "--"+name+"="+value)
		vars["RHEA_"+strings.ToUpper(strings.Replace(name, ".", "_", 1))] = value
	}
	for from, load := range map[string]func(*Loader) error{
		"flags":       func(l *Loader) error { _, _, err := l.Load(args, env(nil)); return err },
		"environment": func(l *Loader) error { _, _, err := l.Load(nil, env(vars)); return err },
	} {
		c := testDefaults()
		if err := load(testLoader(&c)); err != nil || !reflect.DeepEqual(c, want) {
			t.Errorf("%s: got  %+v, %v\nwant %+v", from, c, err, want)
		}
	}
}

func TestLoadModes(t *testing.T) {
	for args, want := range map[string]Mode{
		"": ModeRun, "--help": ModeHelp, "-h": ModeHelp, "--version": ModeVersion, "--print-config": ModePrintConfig,
		"--help --print-config": ModeHelp, "--version --help": ModeHelp,
		"--help --config=/nowhere/at/all": ModeHelp, "--version --writer.dir=": ModeVersion,
	} {
		c := testDefaults()
		if _, mode, err := testLoader(&c).Load(strings.Fields(args), env(nil)); mode != want || err != nil {
			t.Errorf("%q: got mode %d, %v; want %d", args, mode, err, want)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, c := range []struct{ file, env, args, want string }{
		{file: "[gateway]\n\nlisten = 5", want: `FILE:3: gateway.listen: want a string in quotes`},
		{file: "[gateway] # the edge\n# max_conns = 1\nmax_conns = \"5\"", want: `FILE:3: gateway.max_conns: want a whole number`},
		{file: "[gateway]\nmax_conns = 1.5", want: `FILE:2: gateway.max_conns: want a whole number`},
		{file: "[gateway]\nport = 65536", want: `FILE:2: gateway.port: 65536 is out of range`},
		{file: "gateway.port = -1", want: `FILE:1: gateway.port: "-1" is not a whole number that is 0 or more`},
		{file: "[gateway]\ncompress = \"yes\"", want: `FILE:2: gateway.compress: want true or false`},
		{file: "[gateway]\nratio = \"1\"", want: `FILE:2: gateway.ratio: want a number`},
		{file: "[gateway]\nidle = 5", want: `FILE:2: gateway.idle: want a duration in quotes, such as "5s"`},
		{file: "[gateway]\nidle = \"5\"", want: `FILE:2: gateway.idle: "5" is not a duration: want one such as "5s" or "1h30m"`},
		{file: "[gateway]\nallow = [1]", want: `FILE:2: gateway.allow: want a list of strings, ["a", "b"]`},
		{file: "[gateway]\nlisten = 2020-01-01", want: `FILE:2: gateway.listen: want a string in quotes`},
		{file: "[writer]\ncache = -1", want: `FILE:2: writer.cache: "-1" is not a size: want bytes, or a number with a unit such as "64MiB"`},
		{file: "[writer]\ncache = true", want: `FILE:2: writer.cache: want bytes, or a size in quotes such as "64MiB"`},
		{file: "[writer]\ndir = \"x\"\n\"chache\" = 1", want: `FILE:3: [writer] has no key "chache"`},
		{file: "writer.chache = 1", want: `FILE:1: [writer] has no key "chache"`},
		{file: "writer = { chache = 1 }", want: `FILE: [writer] has no key "chache"`},
		{file: "[monitor]\nx = 1\n[ wirter ]\ndir = \"x\"", want: `FILE:3: no Rhea program has a section [wirter]`},
		{file: "wirter.dir = \"x\"", want: `FILE:1: no Rhea program has a section [wirter]`},
		{file: "\ndir = \"x\"", want: `FILE:2: "dir" is not a section: want [section], and its keys below`},
		{file: "[[writer]]\ndir = \"x\"", want: `FILE: "writer" is not a section: want [section], and its keys below`},
		{file: "[writer]\ndir = ", want: `FILE:2: unexpected EOF; expected value`},
		{file: "[writer]\ndir = \"a\"\ndir = \"b\"", want: `FILE:3: Key 'writer.dir' has already been defined.`},
		{file: "[writer]\ndir = \"\"", want: `[writer] dir is empty: want a folder`},
		{args: "--writer.dir=", want: `[writer] dir is empty: want a folder`},
		{args: "--config /nowhere/rhea.toml", want: `configuration: open /nowhere/rhea.toml: no such file or directory`},
		{env: "RHEA_CONFIG=/nowhere/rhea.toml", want: `configuration: open /nowhere/rhea.toml: no such file or directory`},
		{env: "RHEA_GATEWAY_MAX_CONNS=many", want: `RHEA_GATEWAY_MAX_CONNS in the environment: "many" is not a whole number`},
		{env: "RHEA_GATEWAY_MAX_CONNS=", want: `RHEA_GATEWAY_MAX_CONNS in the environment: "" is not a whole number`},
		{env: "RHEA_GATEWAY_COMPRESS=", want: `RHEA_GATEWAY_COMPRESS in the environment: "" is neither true nor false`},
		{env: "RHEA_GATEWAY_IDLE=", want: `RHEA_GATEWAY_IDLE in the environment: "" is not a duration: want one such as "5s" or "1h30m"`},
		{env: "RHEA_GATEWAY_RATIO=", want: `RHEA_GATEWAY_RATIO in the environment: "" is not a number`},
		{env: "RHEA_WRITER_CACHE=", want: `RHEA_WRITER_CACHE in the environment: "" is not a size: want bytes, or a number with a unit such as "64MiB"`},
		{env: "RHEA_WRITER_DIR=", want: `[writer] dir is empty: want a folder`},
		{env: "RHEA_GATEWAY_COMPRESS=yes", want: `RHEA_GATEWAY_COMPRESS in the environment: "yes" is neither true nor false`},
		{env: "RHEA_GATEWAY_MAX_CONNS=99999999999999999999", want: `RHEA_GATEWAY_MAX_CONNS in the environment: 99999999999999999999 is out of range`},
		{args: "--gateway.ratio half", want: `--gateway.ratio: "half" is not a number`},
		{args: "--gateway.compress=2", want: `--gateway.compress: "2" is neither true nor false`},
		{args: "--gateway.lisen=x", want: `there is no flag --gateway.lisen; see --help`},
		{args: "--monitor.dir=x", want: `there is no flag --monitor.dir; see --help`},
		{args: "-v", want: `there is no flag -v; see --help`},
		{args: "-gateway.listen=x", want: `there is no flag -gateway.listen; see --help`},
		{args: "--gateway.listen", want: `--gateway.listen needs a value`},
		{args: "--gateway.listen --gateway.compress", want: `--gateway.listen needs a value`},
		{args: "--config", want: `--config needs a value`},
		{args: "--help=yes", want: `--help takes no value`},
	} {
		args := strings.Fields(c.args)
		path := ""
		if c.file != "" {
			path = writeFile(t, t.TempDir(), c.file)
			args = append(args, "--config", path)
		}
		name, value, _ := strings.Cut(c.env, "=") // without one, no setting asks for ""
		conf := testDefaults()
		_, _, err := testLoader(&conf).Load(args, env(map[string]string{name: value}))
		if err == nil {
			t.Errorf("%q %q %q: no error; want %s", c.file, c.env, c.args, c.want)
			continue
		}
		got := err.Error()
		if path != "" {
			got = strings.ReplaceAll(got, path, "FILE")
		}
		if got != c.want {
			t.Errorf("%q %q %q:\n got %s\nwant %s", c.file, c.env, c.args, got, c.want)
		}
	}
}

func TestLoadPassesOverSectionsOfOthers(t *testing.T) {
	c := testDefaults()
	path := writeFile(t, t.TempDir(), "[monitor]\nsync = 7\n[monitor.deep]\nx = [1]\n[writer]\ndir = \"mine\"\n")
	if _, _, err := testLoader(&c).Load(nil, env(map[string]string{"RHEA_CONFIG": path})); err != nil || c.Store.Dir != "mine" {
		t.Errorf("got %q, %v", c.Store.Dir, err)
	}
}

// A section that no program has is refused by every program.
func TestLoadRefusesSectionsOfNobody(t *testing.T) {
	for _, name := range []string{"store", "plugins", "solo", "replica"} {
		common := DefaultCommon()
		path := writeFile(t, t.TempDir(), "["+name+"]\nx = 1\n")
		_, _, err := (&Loader{Name: "rhea-test", Config: []any{&common}}).Load([]string{"--config", path}, env(nil))
		if want := path + ":1: no Rhea program has a section [" + name + "]"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestLoadInsistsOnItsShape(t *testing.T) {
	type scalar struct {
		X int `toml:"writer"`
	}
	type unknown struct {
		X testStore `toml:"kitchen"`
	}
	type twice struct {
		X testStore `toml:"writer"`
		Y testStore `toml:"writer"`
	}
	type badType struct {
		X struct {
			Y map[string]int `toml:"y"`
		} `toml:"writer"`
	}
	type badKey struct {
		X struct {
			Y int `toml:"y,omitempty"`
		} `toml:"writer"`
	}
	type builtin struct {
		X struct {
			Y string `toml:"config"`
		} `toml:"-"`
	}
	for _, config := range []any{nil, testConfig{}, new(int), &scalar{}, &unknown{}, &twice{}, &badType{}, &badKey{}, &builtin{}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%T was accepted", config)
				}
			}()
			_, _, _ = testLoader(config).Load(nil, env(nil))
		}()
	}
}

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
