package stage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// liveConfig has settings that can change and settings that cannot.
type liveConfig struct {
	Gateway liveGateway `toml:"gateway"`
	Writer  testStore   `toml:"writer"`
}

type liveGateway struct {
	Conns  int      `toml:"conns" help:"" live:"true"`
	Low    int      `toml:"low" help:"at most conns" live:"true"`
	Fixed  int      `toml:"fixed" help:"at most conns"`
	Allow  []string `toml:"allow" help:"" live:"true"`
	Secret string   `toml:"secret" help:"" live:"true" secret:"true"`
}

func (c *liveGateway) Validate() error {
	if c.Low > c.Conns || c.Fixed > c.Conns {
		return errors.New("low or fixed is above conns")
	}
	return nil
}

func liveDefaults() liveConfig {
	return liveConfig{Gateway: liveGateway{Conns: 100, Low: 10, Fixed: 1}, Writer: testStore{Dir: "d"}}
}

func TestReload(t *testing.T) {
	const first = "[gateway]\nconns = 50\nallow = [\"a\"]\n"
	for _, c := range []struct {
		name, file       string
		vars             map[string]string
		args             []string
		changed, restart []string
		err              string
		want             liveGateway
	}{
		{name: "the same", file: first},
		{name: "other words for it", file: "# edited\ngateway.allow = [\n\"a\" ]\ngateway.conns = 50\n"},
		{
			name: "live", file: "[gateway]\nconns = 60\nlow = 11\nallow = [\"a\"]\n",
			changed: []string{"gateway.conns", "gateway.low"}, want: liveGateway{Conns: 60, Low: 11, Fixed: 1, Allow: []string{"a"}},
		},
		{
			name: "back to the default", file: "[gateway]\nallow = [\"a\"]\n",
			changed: []string{"gateway.conns"}, want: liveGateway{Conns: 100, Low: 10, Fixed: 1, Allow: []string{"a"}},
		},
		{
			name: "restart", file: first + "fixed = 2\n[writer]\ndir = \"elsewhere\"\n",
			restart: []string{"gateway.fixed", "writer.dir"},
		},
		{
			name: "both", file: "[gateway]\nconns = 50\nfixed = 3\n",
			changed: []string{"gateway.allow"}, restart: []string{"gateway.fixed"}, want: liveGateway{Conns: 50, Low: 10, Fixed: 1},
		},
		{name: "overruled by a flag", file: "[gateway]\nconns = 51\nallow = [\"a\"]\n", args: []string{"--gateway.conns=50"}},
		{name: "overruled by the environment", file: "[gateway]\nconns = 51\nallow = [\"a\"]\n", vars: map[string]string{"RHEA_GATEWAY_CONNS": "50"}},
		{name: "typo", file: first + "lwo = 1\n", err: `FILE:4: [gateway] has no key "lwo"; did you mean low?`},
		{name: "half", file: "[gateway]\nconns = ", err: "FILE:2: unexpected EOF; expected value"},
		{name: "invalid", file: "[gateway]\nconns = 5\n", err: "[gateway] low or fixed is above conns"},
		{name: "emptied", file: " \n", err: "FILE is empty"},
		{name: "gone", file: "", err: "configuration: open FILE: no such file or directory"},
		{
			name: "good, but not with what stays", file: "[gateway]\nconns = 0\nlow = 0\nfixed = 0\nallow = [\"a\"]\n",
			err: "[gateway] low or fixed is above conns, with what needs a restart (gateway.fixed) as it is",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := writeFile(t, t.TempDir(), first)
			config, common := liveDefaults(), DefaultCommon()
			l := &Loader{Name: "x", Config: []any{&config, &common}}
			if _, _, err := l.Load(append(c.args, "--config", path), env(c.vars)); err != nil {
				t.Fatal(err)
			}
			config.Writer.Dir = "what the program has made of it"
			if c.file == "" {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			} else {
				writeFile(t, filepath.Dir(path), c.file)
			}
			got, err := l.Reload()
			if c.err != "" {
				if err == nil || strings.ReplaceAll(err.Error(), path, "FILE") != c.err {
					t.Fatalf("%v, want %s", err, c.err)
				}
				writeFile(t, filepath.Dir(path), first) // and nothing has come of it
				if got, err := l.Reload(); err != nil || len(got.Changed)+len(got.Restart) > 0 {
					t.Fatalf("afterwards: %+v, %v", got, err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got.Changed, c.changed) || !reflect.DeepEqual(got.Restart, c.restart) {
				t.Fatalf("changed %q, restart %q, %v", got.Changed, got.Restart, err)
			}
			if c.want.Conns == 0 {
				c.want = liveGateway{Conns: 50, Low: 10, Fixed: 1, Allow: []string{"a"}}
			}
			if s := Section[liveGateway](got.Settings); !reflect.DeepEqual(s, c.want) || Section[testStore](got.Settings).Dir != "d" {
				t.Errorf("%+v, want %+v", s, c.want)
			}
		})
	}
}

func TestNothingToReload(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() { _ = os.WriteFile(pipe, []byte("[gateway]\nconns = 50\n"), 0) }() // Load reads it
	for _, args := range [][]string{nil, {"--config", pipe}} {
		config := liveDefaults()
		l := &Loader{Name: "x", Config: []any{&config}}
		if _, _, err := l.Load(args, env(nil)); err != nil || (config.Gateway.Conns == 50) != (args != nil) {
			t.Fatal(config, err)
		}
		if l.edited() {
			t.Error("it is edited")
		}
		if got, err := l.Reload(); !errors.Is(err, ErrNothingToReload) {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

// What the file says is compared, however it came there.
func TestEdited(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "link")
	put := func(name, text string) string {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	swap := func(to string) { // as Kubernetes does
		if err := os.Symlink(to, path+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	swap(put("a", "[gateway]\nconns = 50\n"))
	config := liveDefaults()
	l := &Loader{Name: "x", Config: []any{&config}}
	if _, _, err := l.Load([]string{"--config", path}, env(nil)); err != nil {
		t.Fatal(err)
	}
	polls := func(when string, want ...bool) {
		t.Helper()
		for i, w := range want {
			got := l.edited()
			if got != w {
				t.Errorf("%s, poll %d: %v", when, i, got)
			}
			if got {
				_, _ = l.Reload() // some are bad
			}
		}
	}
	polls("untouched", false, false)
	put("a", "[gateway]\nconns = 5")
	polls("half written", false)
	put("a", "[gateway]\nconns = 51\n")
	polls("written", false, true, false, false)
	swap(put("b", "[gateway]\nconns = 52\n"))
	polls("swapped", false, true, false)
	put("b", "[gateway]\nconns = x\n")
	polls("bad", false, true, false, false)
	put("b", "[gateway]\nconns = 53\n")
	polls("mended", false, true, false)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	polls("gone", false, true, false)
	swap("a")
	polls("back", false, true, false)
	put("a", "[gateway]\n")
	polls("touched", false)
	put("a", "[gateway]\nconns = 51\n")
	polls("and undone", false, false)
}

// TestReloadWhileItRuns is the life of a program whose file is edited.
func TestReloadWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		path := writeFile(t, dir, "[gateway]\nconns = 50\n")
		signals := make(chan os.Signal, 1)
		config := liveDefaults()
		p := Program{Name: "rhea-test", Stage: "gateway", Version: "1.2.3", Config: &config}
		p.Run = func(ctx context.Context, p Process) error {
			next := func(text string, want int) {
				writeFile(t, dir, text)
				<-time.After(3 * PollEvery)
				select {
				case s := <-p.Reload:
					if got := Section[liveGateway](s).Conns; got != want {
						t.Errorf("%d conns, want %d", got, want)
					}
				default:
					if want != 0 {
						t.Errorf("not told of %d conns", want)
					}
				}
			}
			figures := func(want map[string]float64) {
				for name, v := range want {
					if got := p.Metrics.Snapshot()[name]; got != v {
						t.Errorf("%s is %v, want %v", name, got, v)
					}
				}
			}
			p.Log.Debug("unheard")
			next("[gateway]\nconns = 60\n[log]\nlevel = \"debug\"\n", 60)
			p.Log.Debug("heard")
			next("[gateway]\nconns = 70\nfixed = 2\n[log]\nlevel = \"debug\"\n", 70)
			figures(map[string]float64{"config_current": 1, "config_waits_for_restart": 1})
			next("[gateway]\ncons = 70\n", 0)
			figures(map[string]float64{"config_current": 0, "config_reloads.ok": 2, "config_reloads.failed": 1})
			p.Log.Debug("heard still")
			next("[gateway]\nconns = 80\n[stage]\ndrain = \"3s\"\n", 80)
			figures(map[string]float64{"config_current": 1, "config_waits_for_restart": 0})
			signals <- syscall.SIGHUP
			synctest.Wait()
			writeFile(t, dir, "[gateway]\nconns = 90\n[stage]\ndrain = \"3s\"\n")
			signals <- syscall.SIGHUP // is not waited for
			synctest.Wait()
			if got := Section[liveGateway](<-p.Reload).Conns; got != 90 {
				t.Errorf("%d conns", got)
			}
			signals <- syscall.SIGTERM
			<-ctx.Done()
			return nil
		}
		code, _, stderr := life(p, Host{Signals: signals, Args: []string{"--config", path}})
		expect(t, code, strings.ReplaceAll(stderr, path, "FILE"), ExitOK, `INFO  gateway started version=1.2.3
INFO  gateway settings have changed now="[gateway.conns log.level]" because="the file has changed"
DEBUG gateway heard
INFO  gateway settings have changed now=[gateway.conns] because="the file has changed"
WARN  gateway settings need a restart: until then they stay as they were settings=[gateway.fixed]
ERROR gateway the configuration is bad: the settings stay as they are err="FILE:2: [gateway] has no key \"cons\"; did you mean conns?" because="the file has changed"
DEBUG gateway heard still
INFO  gateway settings have changed now="[gateway.conns log.level stage.drain]" because="the file has changed"
INFO  gateway settings read again: nothing has changed here because=hangup
INFO  gateway settings have changed now=[gateway.conns] because=hangup
INFO  gateway stopping because=terminated drain=3s
INFO  gateway stopped after=24s
`)
	})
}

// A program of several stages tells each of them, once, and only the latest.
func TestReloadOfSeveral(t *testing.T) {
	p := NewProcess(os.Stderr, DefaultCommon().Log, "solo")
	one, other := p.For("one"), p.For("other")
	p.shell.publish(SettingsOf(1))
	if got := Section[int](<-one.Reload); got != 1 {
		t.Error(got)
	}
	p.shell.publish(SettingsOf(2))
	for _, c := range []<-chan Settings{one.Reload, other.Reload, p.Reload} {
		if got := Section[int](<-c); got != 2 || len(c) > 0 {
			t.Error(got, len(c))
		}
	}
}
