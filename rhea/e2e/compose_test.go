package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rhea/proto/subject"
)

// composed is the relay of compose.yaml, under a project name of the test's own.
type composed struct {
	t   *testing.T
	url string
	env []string
}

// compose starts what compose.yaml says, with settings of the test's in a folder
// that takes the place of docs/deploy/compose/rhea, and takes all of it away at
// the end of the test.
func compose(t *testing.T) *composed {
	t.Helper()
	if os.Getenv("RHEA_E2E_DOCKER") == "" {
		t.Skip("RHEA_E2E_DOCKER=1 allows what needs a Docker engine")
	}
	settings := t.TempDir()
	for dir, mode := range map[string]os.FileMode{filepath.Dir(settings): 0o755, settings: 0o755} {
		if err := os.Chmod(dir, mode); err != nil { // the containers' user reads it
			t.Fatal(err)
		}
	}
	text := "[limits]\nmax_limit = 1000000\ndefault_limit = 1000000\n\n[gateway]\nmax_per_address = 1000\n"
	if err := os.WriteFile(filepath.Join(settings, "rhea.toml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	d := &composed{t: t, url: "ws://" + listen, env: append(os.Environ(),
		fmt.Sprintf("COMPOSE_PROJECT_NAME=rhea-e2e-%x", rand.Uint32()), "COMPOSE_PROGRESS=quiet",
		"RELAY_LISTEN="+listen, "RELAY_CONFIG="+settings, fmt.Sprintf("RELAY_SUBNET=10.77.%d.0/24", 100+rand.IntN(100)))}
	t.Cleanup(func() {
		if t.Failed() {
			logs, _ := d.command("logs", "--no-color", "--tail", "60").CombinedOutput()
			t.Logf("%s", logs)
		}
		d.do("down", "--volumes", "--timeout", "30")
	})
	d.do("up", "--detach", "--build", "--wait", "--wait-timeout", "120")
	return d
}

func (d *composed) command(args ...string) *exec.Cmd {
	cmd := exec.Command("docker", append([]string{"compose"}, args...)...)
	cmd.Dir, cmd.Env = filepath.Join("..", ".."), d.env
	return cmd
}

// do runs a command of docker compose and returns what it prints.
func (d *composed) do(args ...string) string {
	d.t.Helper()
	began := time.Now()
	out, err := d.command(args...).CombinedOutput()
	if err != nil {
		d.t.Fatalf("docker compose %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	d.t.Logf("%5.1f s  docker compose %s", time.Since(began).Seconds(), strings.Join(args, " "))
	return string(out)
}

// scale is up --scale for some services; what is not named goes back to one.
func (d *composed) scale(counts ...string) {
	d.t.Helper()
	args := []string{"up", "--detach", "--wait", "--wait-timeout", "120"}
	for _, c := range counts {
		args = append(args, "--scale", c)
	}
	d.do(args...)
}

// What docs/operations.md says of a relay under Docker Compose, done to one under
// load: every stage scaled, killed and replaced, NATS restarted. Nothing that was
// accepted is lost, and only what happens to a gateway costs connections.
func TestCompose(t *testing.T) {
	d := compose(t)
	x := startTrial(t, d.url, 4, 16)
	step := func(what string, mayDisconnect bool, do func()) {
		t.Helper()
		x.until(50)
		lost, accepted, began := x.connectionsLost(), x.count(), time.Now()
		do()
		x.until(200)
		gone := x.connectionsLost() - lost
		t.Logf("%s: %.1f s, %d events accepted meanwhile, %d of 4 publishers' connections lost", what, time.Since(began).Seconds(), x.count()-accepted, gone)
		if gone > 0 && !mayDisconnect {
			t.Errorf("%s: clients lost their connections", what)
		}
	}
	step("scaled out", false, func() { d.scale("gateway=2", "ingester=3", "reqworker=2", "monitor=2") })
	step("a gateway less", true, func() { d.scale("gateway=1", "ingester=3", "reqworker=2", "monitor=2") })
	step("scaled in", false, func() { d.scale() })
	for _, st := range subject.Stages() {
		step("killed "+string(st), st == subject.Gateway, func() { d.do("kill", string(st)); d.scale() })
		step("replaced "+string(st), st == subject.Gateway, func() {
			d.do("up", "--detach", "--wait", "--no-deps", "--force-recreate", string(st))
		})
	}
	step("restarted nats", false, func() { d.do("restart", "nats") })
	step("killed nats", false, func() { d.do("kill", "nats"); d.scale() })
	step("killed edge", true, func() { d.do("kill", "edge"); d.scale() })
	step("a new gateway took over", true, func() {
		stop := newcomers(t, d.url)
		// A changed limit stands for a new image: both make a container obsolete.
		d.env = append(d.env, "RELAY_CPUS=0.9")
		d.do("up", "--detach", "--wait", "--no-deps", "--no-recreate", "--scale", "gateway=2", "gateway")
		d.do("up", "--detach", "--wait", "--no-deps", "gateway")
		if tried, refused := stop(); refused > 0 {
			t.Errorf("%d of %d new connections were refused while gateways changed", refused, tried)
		}
	})
	x.finish()
	d.do("stop")
	out := d.do("run", "--rm", "--no-deps", "--no-TTY", "writer", "/bin/rhea", "check")
	t.Logf("check: %s", out)
}

// newcomers connects to a relay again and again until stop, which says how often, and
// how often in vain.
func newcomers(t *testing.T, url string) (stop func() (tried, refused int)) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	var tried, refused int
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			tried++
			if c, err := connect(url); err == nil {
				c.close()
			} else {
				t.Logf("connection %d: %v", tried, err)
				refused++
			}
			sleep(ctx, 10*time.Millisecond)
		}
	}()
	return func() (int, int) {
		cancel()
		<-ended
		return tried, refused
	}
}
