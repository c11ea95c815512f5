package rules

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.yaml.in/yaml/v3"

	"rhea/proto/stage"
	"rhea/proto/subject"
	"rhea/rhea/natsd"
	"rhea/rhea/settings"
)

// service is what the rules look at of a service of compose.yaml.
type service struct {
	Image       string
	Command     []string
	Profiles    []string
	Environment map[string]*string
	Ports       []string
	Volumes     []volume
	Restart     string
	ReadOnly    bool          `yaml:"read_only"`
	CapDrop     []string      `yaml:"cap_drop"`
	SecurityOpt []string      `yaml:"security_opt"`
	Memory      size          `yaml:"mem_limit"`
	Pids        int           `yaml:"pids_limit"`
	CPUs        string        `yaml:"cpus"`
	Grace       time.Duration `yaml:"stop_grace_period"`
	Logging     struct{ Options map[string]string }
	Healthcheck struct{ Test []string }
	DependsOn   dependencies `yaml:"depends_on"`
}

// volume is a mount in either of its forms.
type volume struct{ Source, Target string }

func (v *volume) UnmarshalYAML(n *yaml.Node) error {
	type long volume
	if n.Kind == yaml.MappingNode {
		return n.Decode((*long)(v))
	}
	parts := strings.SplitN(n.Value, ":", 3)
	v.Source, v.Target = parts[0], parts[1]
	return nil
}

// dependencies are the names of services, in either of their forms.
type dependencies []string

func (d *dependencies) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		return n.Decode((*[]string)(d))
	}
	var conditions map[string]any
	err := n.Decode(&conditions)
	*d = slices.Sorted(maps.Keys(conditions))
	return err
}

// size is a number of bytes as Docker writes it.
type size int64

func (s *size) UnmarshalYAML(n *yaml.Node) error {
	var b stage.ByteSize
	err := b.UnmarshalText([]byte(strings.NewReplacer("m", "MiB", "g", "GiB").Replace(n.Value)))
	*s = size(b)
	return err
}

// composed reads compose.yaml as somebody has it who has set none of its variables,
// and returns those as well.
func composed(t *testing.T) (top string, services map[string]service, variables []string) {
	t.Helper()
	top = root(t)
	text, err := os.ReadFile(filepath.Join(top, "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	variable := regexp.MustCompile(`\$\{(\w+):-([^}]*)\}`)
	for _, m := range variable.FindAllSubmatch(text, -1) {
		variables = append(variables, string(m[1]))
	}
	text = variable.ReplaceAll(text, []byte("$2"))
	var file struct{ Services map[string]service }
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "${") {
		t.Error("compose.yaml: a variable without a default: who runs docker compose up has set none")
	}
	return top, file.Services, variables
}

// The stages of compose.yaml are those that there are, and their environment says
// what they understand.
func TestComposeStages(t *testing.T) {
	top, services, _ := composed(t)
	for _, st := range subject.Stages() {
		name := string(st)
		s, there := services[name]
		if want := []string{"/bin/rhea-" + name}; !there || !slices.Equal(s.Command, want) {
			t.Errorf("compose.yaml: service %s runs %q, want %q", name, s.Command, want)
			continue
		}
		relay, common := settings.Default(), stage.DefaultCommon()
		l := stage.Loader{Name: name, Config: []any{&relay, &common}, Environ: slices.Collect(maps.Keys(s.Environment))}
		lookup := func(key string) (string, bool) {
			v := s.Environment[key]
			if v == nil || key == "RHEA_CONFIG" {
				return "", false
			}
			return *v, true
		}
		if _, _, err := l.Load([]string{"--config", filepath.Join(top, "docs", "deploy", "compose", "rhea", "rhea.toml")}, lookup); err != nil {
			t.Errorf("compose.yaml: %s: %v", name, err)
		}
		patience := common.Stage.Drain
		if st == subject.Gateway {
			patience += relay.Gateway.StopTime()
		}
		if s.Grace <= patience {
			t.Errorf("compose.yaml: %s is killed after %s, and takes up to %s to stop", name, s.Grace, patience)
		}
		var most stage.ByteSize
		if v := s.Environment["GOMEMLIMIT"]; v == nil || most.UnmarshalText([]byte(*v)) != nil || most < 1<<20 || size(most) > s.Memory*9/10 {
			t.Errorf("compose.yaml: %s: GOMEMLIMIT must leave a tenth of mem_limit", name)
		}
	}
}

// Nothing that compose.yaml starts is without bounds, and nothing but the edge can
// be reached from elsewhere.
func TestComposeBounds(t *testing.T) {
	_, services, _ := composed(t)
	for name, s := range services {
		for what, missing := range map[string]bool{
			"mem_limit": s.Memory == 0, "pids_limit": s.Pids == 0, "cpus": s.CPUs == "",
			"logging with max-size": s.Logging.Options["max-size"] == "", "a health check": len(s.Healthcheck.Test) < 2,
			"read_only": !s.ReadOnly, "cap_drop: [ALL]": !slices.Contains(s.CapDrop, "ALL"), "restart": s.Restart == "",
			"no-new-privileges":       !slices.Contains(s.SecurityOpt, "no-new-privileges:true"),
			"an image with a version": s.Image != "rhea" && !regexp.MustCompile(`:v?\d+\.`).MatchString(s.Image),
		} {
			if missing {
				t.Errorf("compose.yaml: %s lacks %s", name, what)
			}
		}
		for _, port := range s.Ports {
			public := len(s.Profiles) == 0 && name != "edge"
			if public || !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("compose.yaml: %s publishes %s: only the edge is to be reached, and only from this machine unless the operator says so", name, port)
			}
		}
		for _, other := range s.DependsOn {
			if _, there := services[other]; !there {
				t.Errorf("compose.yaml: %s depends on %s, which is not there", name, other)
			}
		}
	}
}

// What compose.yaml mounts is in the repository, and what its comment lists as
// variables is what it reads.
func TestComposeFiles(t *testing.T) {
	top, services, variables := composed(t)
	for name, s := range services {
		for _, v := range s.Volumes {
			if _, err := os.Stat(filepath.Join(top, v.Source)); strings.HasPrefix(v.Source, ".") && err != nil {
				t.Errorf("compose.yaml: %s mounts %s, which is not there", name, v.Source)
			}
		}
	}
	text, err := os.ReadFile(filepath.Join(top, "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, m := range regexp.MustCompile(`(?m)^#   (RELAY_\w+)`).FindAllSubmatch(text, -1) {
		listed = append(listed, string(m[1]))
	}
	slices.Sort(listed)
	slices.Sort(variables)
	if read := slices.Compact(variables); !slices.Equal(listed, read) {
		t.Errorf("compose.yaml lists the variables %q and reads %q", listed, read)
	}
}

// The bus of compose.yaml takes messages as large as the one of rhea up, and keeps
// nothing.
func TestComposeBus(t *testing.T) {
	opts, err := server.ProcessConfigFile(filepath.Join(root(t), "docs", "deploy", "compose", "nats", "nats-server.conf"))
	if err != nil {
		t.Fatal(err)
	}
	if opts.MaxPayload != natsd.MaxPayload || opts.JetStream {
		t.Errorf("max_payload is %d, want %d; JetStream is %v", opts.MaxPayload, natsd.MaxPayload, opts.JetStream)
	}
}
