package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rhea/proto/bus"
	"rhea/proto/subject"
)

// cluster is a relay on three machines of a lan, set up from the files of
// docs/deploy/cluster alone.
type cluster struct {
	*lan
	dir      string // of what the machines have
	data     string // of the machine with the writer
	machines map[string]*machine
}

type machine struct {
	name   string
	dir    string // its /etc/rhea
	env    []string
	stages []string
	nats   *process
	runs   map[string]*process // stages
}

// startCluster starts NATS and the stages of all machines, and waits for nobody.
func startCluster(t *testing.T) *cluster {
	c := &cluster{dir: t.TempDir(), data: t.TempDir(), machines: map[string]*machine{}}
	makeCertificates(t, c.dir)
	names := map[string]int{"nats-a": 1, "nats-b": 2, "nats-c": 3}
	c.lan = newLAN(t, names)
	for n, name := range []string{"a", "b", "c"} {
		c.lan.machine(name, n+1)
		c.machines[name] = c.install(name)
		c.startNATS(name)
	}
	for _, st := range subject.Stages() { // those that are nearer the store first, so that they end last
		for _, name := range slices.Sorted(maps.Keys(c.machines)) {
			if slices.Contains(c.machines[name].stages, string(st)) {
				c.startStage(name, st)
			}
		}
	}
	return c
}

// install copies to a machine what operations.md says, and no other's keys.
func (c *cluster) install(name string) *machine {
	m := &machine{name: name, dir: filepath.Join(c.dir, name), runs: map[string]*process{}}
	certs := filepath.Join(m.dir, "certs")
	if err := os.MkdirAll(certs, 0o700); err != nil {
		c.t.Fatal(err)
	}
	for _, file := range []string{"nats.conf", "permissions.conf", "rhea.toml"} {
		copyFile(c.t, filepath.Join(clusterFiles, file), filepath.Join(m.dir, file))
	}
	text, err := os.ReadFile(filepath.Join(clusterFiles, name+".env"))
	if err != nil {
		c.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			value = strings.Trim(value, `"`)
			m.env = append(m.env, key+"="+value)
			if key == "STAGES" {
				m.stages = strings.Fields(value)
			}
		}
	}
	copyFile(c.t, filepath.Join(c.dir, "certs", "ca.crt"), filepath.Join(certs, "ca.crt"))
	for _, who := range append([]string{"nats-" + name}, m.stages...) {
		for _, end := range []string{".crt", ".key"} {
			copyFile(c.t, filepath.Join(c.dir, "certs", who+end), filepath.Join(certs, who+end))
		}
	}
	return m
}

func (c *cluster) startNATS(name string) {
	m := c.machines[name]
	cmd := c.on(name, filepath.Join(bin, "nats-server"), "-c", "nats.conf")
	cmd.Dir, cmd.Env = m.dir, append(os.Environ(), m.env...)
	m.nats = startProcess(c.t, "nats-"+name, cmd)
}

// startStage starts a stage as its unit with the drop-in does.
func (c *cluster) startStage(name string, st subject.Stage) {
	m := c.machines[name]
	cmd := c.on(name, filepath.Join(bin, "rhea-"+string(st)))
	cmd.Dir = m.dir
	cmd.Env = slices.Concat(os.Environ(), m.env, dropIn(c.t, st), big,
		[]string{"RHEA_WRITER_DIR=" + filepath.Join(c.data, "store"), "RHEA_GATEWAY_MAX_PER_ADDRESS=1000"})
	m.runs[string(st)] = startProcess(c.t, string(st)+" on "+name, cmd)
}

// dropIn is the environment that the drop-in gives a stage's unit, relative to the
// machine's folder.
func dropIn(t *testing.T, st subject.Stage) (env []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(clusterFiles, "cluster.conf"))
	if err != nil {
		t.Fatal(err)
	}
	unit := strings.NewReplacer("%j", string(st), "/etc/rhea/", "").Replace(string(text))
	credentials := map[string]string{}
	for line := range strings.Lines(unit) {
		line = strings.TrimSpace(line)
		if both, ok := strings.CutPrefix(line, "LoadCredential="); ok {
			name, path, _ := strings.Cut(both, ":")
			credentials["%d/"+name] = path
		}
		settings, _ := strings.CutPrefix(line, "Environment=")
		for _, setting := range strings.Fields(settings) {
			if key, value, ok := strings.Cut(setting, "="); ok && strings.HasPrefix(key, "RHEA_") {
				if path := credentials[value]; path != "" {
					value = path
				}
				env = append(env, key+"="+value)
			}
		}
	}
	if len(credentials) != 2 || len(env) != 3 {
		t.Fatalf("the drop-in has become another: %v, %v", credentials, env)
	}
	return env
}

// count is how many processes of a stage there are.
func (c *cluster) count(st subject.Stage) (n int) {
	for _, m := range c.machines {
		if slices.Contains(m.stages, string(st)) {
			n++
		}
	}
	return n
}

// look joins as the operator, at the NATS servers in the order given.
func (c *cluster) look(t *testing.T, servers ...string) *bus.Roster {
	t.Helper()
	conf, certs := bus.DefaultConfig(), filepath.Join(c.dir, "certs")
	conf.URL = "tls://" + strings.Join(servers, ":4222,tls://") + ":4222"
	conf.CA, conf.Cert, conf.Key = certs+"/ca.crt", certs+"/operator.crt", certs+"/operator.key"
	_, roster := lookOn(t, conf)
	return roster
}

// stop ends all stages, those at the edge first, and returns what anybody has logged
// of what is forbidden.
func (c *cluster) stop() (violations []string) {
	for _, st := range slices.Backward(subject.Stages()) {
		for _, m := range c.machines {
			if p := m.runs[string(st)]; p != nil {
				p.stop()
			}
		}
	}
	for _, m := range c.machines {
		for line := range strings.Lines(m.nats.logs.tail(1 << 20)) {
			if strings.Contains(line, "Violation") {
				violations = append(violations, m.name+": "+line)
			}
		}
	}
	return violations
}
