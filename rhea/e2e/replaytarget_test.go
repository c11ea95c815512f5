package e2e

import (
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rhea/rhea/natsd"
)

// A recording is played to another relay, as long as that has stored nothing, and to
// a stage's own binary that is alone on a bus.
func TestReplayElsewhere(t *testing.T) {
	file := tutorialSession(t)
	r := start(t, "up", "", nil)
	out, code, err := rheaReplay("--expect", "--to", r.busURL(), file)
	// The subscription was registered before the AUTH and again after it, or only then.
	if err != nil || code != 0 || !strings.Contains(out, " 10  as recorded\n") && !strings.Contains(out, " 9  as recorded\n") {
		t.Errorf("%v, exit code %d\n%s", err, code, out)
	}
	out, code, err = rheaReplay("--expect", "--to", r.busURL(), file)
	if err != nil || code != 1 || out != "rhea replay: the store is not empty: it has come to Seq 5; --force replays into it all the same\n" {
		t.Errorf("%v, exit code %d\n%s", err, code, out)
	}
	out, code, err = rheaReplay("--force", "--to", r.busURL(), file)
	if err != nil || code != 0 {
		t.Errorf("%v, exit code %d\n%s", err, code, out)
	}
	out, code, err = rheaReplay("--to", r.busURL(), "--stage", "monitor", file)
	if err != nil || code != 1 || !strings.Contains(out, "a writer is on that bus") {
		t.Errorf("%v, exit code %d\n%s", err, code, out)
	}

	server, err := natsd.Start("127.0.0.1:0", slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	for _, stage := range []string{"reqworker", "monitor", "negentropy", "ingester"} {
		cmd := exec.Command(filepath.Join(bin, "rhea-"+stage))
		cmd.Env = append(os.Environ(), "RHEA_BUS_URL="+server.URL())
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		out, code, err := rheaReplay("--expect", "--to", server.URL(), "--stage", stage, file)
		if err != nil || code != 0 || strings.Contains(out, " 0  answered") {
			t.Errorf("%s: %v, exit code %d\n%s", stage, err, code, out)
		}
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	}
}

// What cannot be replayed is refused in a line, and nothing is left behind.
func TestReplayRefuses(t *testing.T) {
	file := tutorialSession(t)
	t.Setenv("TMPDIR", t.TempDir())
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text, cut := write("text", []byte("hello\n")), write("cut", b[:len(b)-20])
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(filepath.Join(data, "store"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string // the last line, in which … is anything
	}{
		{nil, 64, "which recording? rhea replay FILE; see --help"},
		{[]string{file, file}, 64, "…one recording at a time"},
		{[]string{"--speed=fast", file}, 64, `--speed is "fast": want max, step, or a number with an x, such as 1x`},
		{[]string{"--speed=0x", file}, 64, `--speed is "0x": want …`},
		{[]string{"--force", file}, 64, "--force is for --to…"},
		{[]string{"--data", data, "--to", "nats://127.0.0.1:1", file}, 64, "--data is for a relay of this process's own…"},
		{[]string{filepath.Join(dir, "none")}, 1, "open …no such file or directory"},
		{[]string{text}, 1, "…text: this is not a recording"},
		{[]string{"--stage=gateway", file}, 1, "…a gateway cannot be replayed: what it is told comes over sockets, and no recording has that"},
		{[]string{"--stage=gatway", file}, 1, `…there is no stage "gatway"`},
		{[]string{"--subject=nothing.>", file}, 1, "nothing was asked: the recording has no such messages"},
		{[]string{"--to=nats://127.0.0.1:1", file}, 1, "bus: no NATS server at nats://127.0.0.1:1: …"},
		{[]string{"--data", data, file}, 1, "…data has a store already; a replay begins with an empty one"},
		{[]string{cut}, 1, "the recording is cut: …; all of them were played (--cut-ok: exit code 0)"},
	} {
		out, code, err := rheaReplay(c.args...)
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		last := lines[len(lines)-1]
		if err != nil || code != c.code || !like("^rhea replay: "+c.want+"$", "^"+last+"$") {
			t.Errorf("%v: %v, exit code %d\n%s", c.args, err, code, out)
		}
	}
	if out, code, err := rheaReplay("--cut-ok", "--expect", cut); err != nil || code != 0 {
		t.Errorf("%v, exit code %d\n%s", err, code, out)
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Step by step, Enter plays the next message, and q ends.
func TestReplaySteps(t *testing.T) {
	cmd := exec.Command(filepath.Join(bin, "rhea"), "replay", "--speed=step", tutorialSession(t))
	cmd.Stdin = strings.NewReader("\n\nq\n")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "EventFrame") != 3 || !strings.Contains(string(out), "  2  EVENT\n") {
		t.Errorf("%v\n%s", err, out)
	}
}
