package rules

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"rhea/gateway"
	"rhea/proto/stage"
	"rhea/proto/subject"
	"rhea/rhea/settings"
)

const (
	unitFolder = "docs/deploy/systemd"
	programs   = "/usr/local/bin"
)

// unitFiles returns the units and drop-ins of the folder with their text.
func unitFiles(t *testing.T) map[string]string {
	t.Helper()
	top := filepath.Join(root(t), unitFolder)
	files := make(map[string]string)
	for _, pattern := range []string{"*.service", "*.d/*.conf"} {
		paths, err := filepath.Glob(filepath.Join(top, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name, err := filepath.Rel(top, path)
			if err != nil {
				t.Fatal(err)
			}
			files[name] = string(text)
		}
	}
	return files
}

var execStart = regexp.MustCompile(`(?m)^ExecStart=` + programs + `/(\S+)(.*)$`)

// The units start programs that there are, with settings that there are, and each
// stage has one.
func TestUnitsStartWhatThereIs(t *testing.T) {
	started := make(map[string]bool)
	for name, text := range unitFiles(t) {
		m := execStart.FindStringSubmatch(text)
		if m == nil {
			if strings.HasSuffix(name, ".service") {
				t.Errorf("%s starts nothing", name)
			}
			continue
		}
		started[m[1]] = true
		args := strings.Fields(m[2])
		if m[1] == "rhea" {
			if len(args) != 5 || args[0] != "up" || args[1] != "--config" || args[3] != "--data" {
				t.Errorf("%s: rhea %v", name, args)
			}
			continue
		}
		relay, common := settings.Default(), stage.DefaultCommon()
		l := stage.Loader{Name: m[1], Config: []any{&relay, &common}}
		if _, _, err := l.Load(args, func(string) (string, bool) { return "", false }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	want := map[string]bool{"rhea": true}
	for _, st := range subject.Stages() {
		want["rhea-"+string(st)] = true
	}
	for program := range want {
		if !started[program] {
			t.Errorf("no unit starts %s", program)
		}
	}
	for program := range started {
		if !want[program] {
			t.Errorf("a unit starts %s, which is no program", program)
		}
	}
}

// systemd does not kill what is still stopping in order.
func TestUnitsLetStop(t *testing.T) {
	files := unitFiles(t)
	gw, drain := gateway.DefaultConfig(), stage.DefaultCommon().Stage.Drain
	for name, least := range map[string]time.Duration{
		"rhea-gateway@.service":          drain + gw.StopTime(),
		"rhea-.service.d/10-common.conf": drain,
		"rhea.service":                   drain*time.Duration(len(subject.Stages())) + gw.StopTime(),
		"rhea-writer.service":            drain,
	} {
		m := regexp.MustCompile(`(?m)^TimeoutStopSec=(\d+)(s|min)$`).FindStringSubmatch(files[name])
		if m == nil {
			t.Errorf("%s has no TimeoutStopSec", name)
			continue
		}
		got, err := time.ParseDuration(m[1] + m[2][:1])
		if err != nil || got <= least {
			t.Errorf("%s: TimeoutStopSec is %s, want more than %s (%v)", name, got, least, err)
		}
	}
}

// systemd understands every line of the units, and of what a cluster has beside them.
func TestUnitsVerify(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze here")
	}
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	files := unitFiles(t)
	for file, name := range map[string]string{"nats.service": "nats.service", "cluster.conf": "rhea-.service.d/50-cluster.conf"} {
		text, err := os.ReadFile(filepath.Join(root(t), "docs/deploy/cluster", file))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	var names []string
	for name, text := range files {
		if m := execStart.FindStringSubmatch(text); m != nil {
			if err := os.WriteFile(filepath.Join(bin, m[1]), []byte("#!/bin/sh\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			names = append(names, strings.Replace(name, "@.", "@1.", 1))
		}
		path := filepath.Join(dir, "units", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, programs, bin)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(names)
	cmd := exec.Command(analyze, append([]string{"verify", "--man=no"}, names...)...)
	cmd.Dir = filepath.Join(dir, "units")
	cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+cmd.Dir+":") // and where the system's are
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), dir) {
		t.Errorf("%v\n%s", err, out)
	}
}
