package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rhea/proto/nostr/nostrtest"
	"rhea/proto/stage"
)

// mainEnv makes the test binary rhea itself.
const mainEnv = "RHEA_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) == "1" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// call runs a command line as a process would.
func call(stdin string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(stage.Host{
		Args: args, LookupEnv: noEnv,
		Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs, Signals: make(chan os.Signal),
	})
	return code, out.String(), errs.String()
}

func noEnv(string) (string, bool) { return "", false }

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"", 64, "Usage: rhea COMMAND"},
		{"help", 0, "Usage: rhea COMMAND"},
		{"help up", 0, "Usage: rhea up"},
		{"nonsense", stage.ExitUsage, `no command "nonsense"`},
		{"statsu", stage.ExitUsage, `no command "statsu"; did you mean status?`},
		{"up --ingester 3", stage.ExitUsage, "no flag --ingester; did you mean --ingesters?"},
		{"version", 0, "rhea "},
		{"up --version", 0, "rhea "},
		{"up --nonsense", stage.ExitUsage, "no flag --nonsense"},
		{"up --gateways 0", stage.ExitUsage, "gateways is 0"},
		{"up extra", stage.ExitUsage, `"extra" is not a flag`},
		{"solo --listen nowhere", stage.ExitUsage, "want host:port"},
		{"stage", stage.ExitUsage, "which one? gateway, ingester"},
		{"stage rewriter", stage.ExitUsage, "which one? gateway, ingester"},
		{"stage writer --help", 0, "Usage: rhea stage writer"},
		{"stage writer --gateway.listen :1", stage.ExitUsage, "no flag --gateway.listen"},
		{"status extra", stage.ExitUsage, `"extra" is not a flag`},
		{"status --data /nonexistent/x", 1, "no relay runs on /nonexistent/x: start one with"},
		{"info --data /nonexistent/x", 1, "there is no store"},
		{"check --data /nonexistent/x", 1, "there is no store"},
	} {
		code, out, errs := call("", strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("rhea %s: code %d\n%s%s\nwant %d, %s", c.args, code, out, errs, c.code, c.want)
		}
	}
	for _, c := range commands() {
		if code, out, _ := call("", c.name, "--help"); code != 0 || !strings.HasPrefix(out, "Usage: rhea "+c.name) {
			t.Errorf("%s --help: code %d, %s", c.name, code, out)
		}
	}
}

// What is printed can be read back and is then the same.
func TestPrintConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rhea.toml")
	code, first, errs := call("", "up", "--print-config", "--data", "/d", "--listen=:1", "--bus", "127.0.0.1:5", "--limits.max_filters=3")
	if code != 0 {
		t.Fatal(errs)
	}
	for _, want := range []string{"data = \"/d\"", "listen = \":1\"", "dir = \"/d/store\"", "max_filters = 3", "bus = \"127.0.0.1:5\"", "[log]"} {
		if !strings.Contains(first, want+"\n") {
			t.Errorf("%s is missing", want)
		}
	}
	if err := os.WriteFile(path, []byte(first), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"up", "solo"} {
		if code, second, errs := call("", command, "--print-config", "--config", path); code != 0 || second != first {
			t.Fatalf("%s: %s\n%s", command, errs, second)
		}
	}
}

func TestEnvironment(t *testing.T) {
	args := unalias([]string{"--listen", ":1", "--data=x", "--gateway.reuse_port", "--bus", "y", "--config", "f", "--up.monitors=2", "--metrics.listen="}, map[string]string{"--bus": "--up.bus"})
	want := []string{"RHEA_GATEWAY_LISTEN=:1", "RHEA_UP_DATA=x", "RHEA_GATEWAY_REUSE_PORT=true", "RHEA_UP_BUS=y", "RHEA_CONFIG=f", "RHEA_UP_MONITORS=2", "RHEA_METRICS_LISTEN="}
	if got := environment(args); !slices.Equal(got, want) {
		t.Fatalf("got %q", got)
	}
	after := []string{"--", "--data"}
	if got := unalias(after, nil); !slices.Equal(got, after) {
		t.Fatalf("got %q", got)
	}
}

// A relay outlives whoever reads its output, and then stops in order; a command
// in a pipe ends with its reader, and has nothing to say about it.
func TestBrokenPipes(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	relay := process(t, "solo", "--data", data, "--listen=127.0.0.1:0")
	relay.Stdout, relay.Stderr = in, in
	if err := relay.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	ready := false
	for lines := bufio.NewScanner(out); !ready && lines.Scan(); {
		ready = strings.HasPrefix(lines.Text(), "rhea: ready on ")
	}
	out.Close()
	if code, _, errs := call(string(nostrtest.Lines(t)[0]), "import", "--data", data); code != 0 {
		t.Error(errs)
	}
	out, in, err = os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out.Close()
	var errs bytes.Buffer
	scan := process(t, "scan", "--data", data, "{}")
	scan.Stdout, scan.Stderr = in, &errs
	_ = scan.Run() // with what code is its own affair: a shell sees the last command's
	in.Close()
	if errs.Len() > 0 {
		t.Errorf("scan says %s", errs.String())
	}
	if err := relay.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := relay.Wait(); err != nil {
		t.Errorf("ready %v, and ends with %v", ready, err)
	}
}

// process is rhea as a process of its own, a minute at the most.
func process(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), mainEnv+"=1")
	return cmd
}

func TestStopOnSignals(t *testing.T) {
	signals := make(chan os.Signal)
	ctx, kill, end := stopOnSignals(signals, nil)
	defer end()
	for range 3 { // each is taken when the one before has been dealt with
		signals <- syscall.SIGHUP
	}
	<-ctx.Done()
	select {
	case <-kill:
		t.Fatal("a terminal that hangs up cuts the drain short")
	default:
	}
	signals <- syscall.SIGTERM
	<-kill
	signals <- syscall.SIGTERM
}

func TestIsTerminal(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	for name, w := range map[string]io.Writer{"null": null, "pipe": w, "buffer": new(bytes.Buffer)} {
		if isTerminal(w) {
			t.Errorf("%s passes for a terminal", name)
		}
	}
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudo terminals here: ", err)
	}
	defer terminal.Close()
	if !isTerminal(terminal) {
		t.Error("a terminal is not recognised")
	}
}

func TestPortAfter(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{{"127.0.0.1:9100", 3, "127.0.0.1:9103"}, {":0", 3, ":0"}, {"[::1]:1", 0, "[::1]:1"}} {
		if got := portAfter(c.in, c.n); got != c.want {
			t.Errorf("%s + %d: %s", c.in, c.n, got)
		}
	}
}

// A container's health check: a whole relay is well; one without a port, or with a
// stage that is missing, is not.
func TestHealth(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := call("", "health", address); code != 1 || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "refused") {
		t.Errorf("nobody there: code %d, %q, %q", code, out, errs)
	}
	_, stop := startSolo(t, filepath.Join(t.TempDir(), "data"), "--metrics.listen", address)
	defer stop()
	// Ready is what every stage calls ready, which some learn a moment later.
	for began := time.Now(); ; {
		code, _, errs := call("", "health", "--metrics.listen", address)
		if code == 0 {
			break
		}
		if !strings.HasPrefix(errs, "rhea health: 503 Service Unavailable: ") || time.Since(began) > 20*time.Second {
			t.Fatal(errs)
		}
	}
	if code, _, errs := call("", "health", "http://"+address+"/healthz"); code != 0 {
		t.Error(errs)
	}
	for _, bad := range [][]string{{"a", "b"}, {"ftp://x"}, {"--nonsense"}} {
		if code, _, errs := call("", append([]string{"health"}, bad...)...); code != stage.ExitUsage || strings.Count(errs, "\n") != 1 {
			t.Errorf("%q: code %d, %q", bad, code, errs)
		}
	}
}
