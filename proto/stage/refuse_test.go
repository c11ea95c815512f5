package stage

import (
	"strings"
	"testing"
)

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
		{file: "[writer]\ndir = \"x\"\n\"chache\" = 1", want: `FILE:3: [writer] has no key "chache"; did you mean cache?`},
		{file: "writer.chache = 1", want: `FILE:1: [writer] has no key "chache"; did you mean cache?`},
		{file: "writer = { chache = 1 }", want: `FILE: [writer] has no key "chache"; did you mean cache?`},
		{file: "[monitor]\nx = 1\n[ wirter ]\ndir = \"x\"", want: `FILE:3: no Rhea program has a section [wirter]; did you mean [writer]?`},
		{file: "wirter.dir = \"x\"", want: `FILE:1: no Rhea program has a section [wirter]; did you mean [writer]?`},
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
		{args: "--gateway.lisen=x", want: `there is no flag --gateway.lisen; did you mean --gateway.listen?`},
		{args: "--monitor.dir=x", want: `there is no flag --monitor.dir; did you mean --writer.dir?`},
		{args: "--writer.dri=x", want: `there is no flag --writer.dri; did you mean --writer.dir?`},
		{args: "--gatway.max_con=5", want: `there is no flag --gatway.max_con; did you mean --gateway.max_conns?`},
		{args: "--max_conns=5", want: `there is no flag --max_conns; did you mean --gateway.max_conns?`},
		{args: "--folow", want: `there is no flag --folow; did you mean --follow?`},
		{args: "--confg x", want: `there is no flag --confg; did you mean --config?`},
		{args: "--sort=x", want: `there is no flag --sort; did you mean --short?`},
		{args: "--writer.zzz=x", want: `there is no flag --writer.zzz; see --help`},
		{file: "[gateway]\nmax_con = 1", want: `FILE:2: [gateway] has no key "max_con"; did you mean max_conns?`},
		{file: "[gateway]\nacllow = 1", want: `FILE:2: [gateway] has no key "acllow"; did you mean allow?`},
		{file: "[gateway]\ncache = 1", want: `FILE:2: [gateway] has no key "cache"; did you mean cache in [writer]?`},
		{file: "[gateway]\nunheard_of = 1", want: `FILE:2: [gateway] has no key "unheard_of"`},
		{file: "[kitchen]\nx = 1", want: `FILE:1: no Rhea program has a section [kitchen]`},
		{env: "RHEA_GATEWAY_MAX_CONN=1", want: `RHEA_GATEWAY_MAX_CONN in the environment: [gateway] has no such key; did you mean RHEA_GATEWAY_MAX_CONNS?`},
		{env: "RHEA_WRITER_UNHEARD_OF=1", want: `RHEA_WRITER_UNHEARD_OF in the environment: [writer] has no such key`},
		{env: "RHEA_GATEWAY_PORTS=1", want: `RHEA_GATEWAY_PORTS in the environment: [gateway] has no such key; did you mean RHEA_GATEWAY_PORT?`},
		{args: "-v", want: `there is no flag -v; see --help`},
		{args: "-gateway.listen=x", want: `there is no flag -gateway.listen; did you mean --gateway.listen?`},
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
		l := testLoader(&conf)
		l.Environ, l.Aliases = []string{c.env}, []string{"--short"}
		_, _, err := l.Load(args, env(map[string]string{name: value}))
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

// Variables that are nobody's settings, or another program's, are left alone; so
// are those that Kubernetes sets for a service called rhea-gateway.
func TestLoadPassesOverVariables(t *testing.T) {
	c := testDefaults()
	l := testLoader(&c)
	l.Environ = []string{
		"RHEA_MONITOR_DIRR=x", "RHEA_SUPERVISED=1", "RHEA_CONFIG=", "RHEA_E2E_ROUNDS=5", "RHEA_TEST_DIR=y", "RHEA_", "HOME=/",
		"RHEA_GATEWAY_SERVICE_HOST=10.0.0.1", "RHEA_GATEWAY_SERVICE_PORT_WS=7777", "RHEA_GATEWAY_PORT=7",
		"RHEA_WRITER_PORT=tcp://10.0.0.1:7777", "RHEA_WRITER_PORT_7777_TCP_ADDR=10.0.0.1",
	}
	if _, _, err := l.Load(nil, env(nil)); err != nil {
		t.Error(err)
	}
}

func TestNearest(t *testing.T) {
	words := []string{"max_filters", "max_filter_values", "max_limit", "dir", "auth"}
	for word, want := range map[string]string{
		"max_filter": "max_filters", "mxa_filters": "max_filters", "max_filter_value": "max_filter_values", "maxfilters": "max_filters",
		"dri": "dir", "dirs": "dir", "auht": "auth", "d": "", "": "", "x": "", "min_pow": "", "authors_and_more": "",
	} {
		if got := Nearest(word, words); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
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
