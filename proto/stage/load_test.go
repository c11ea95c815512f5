package stage

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
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

func TestLoadPassesOverSectionsOfOthers(t *testing.T) {
	c := testDefaults()
	path := writeFile(t, t.TempDir(), "[monitor]\nsync = 7\n[monitor.deep]\nx = [1]\n[writer]\ndir = \"mine\"\n")
	if _, _, err := testLoader(&c).Load(nil, env(map[string]string{"RHEA_CONFIG": path})); err != nil || c.Store.Dir != "mine" {
		t.Errorf("got %q, %v", c.Store.Dir, err)
	}
}
