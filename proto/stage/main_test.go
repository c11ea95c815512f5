package stage

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

// TestMain lets the test binary be a program, so that Main can be tested.
func TestMain(m *testing.M) {
	if os.Getenv("RHEA_TEST_PROGRAM") == "1" {
		Main(testProgram(func(ctx context.Context, p Process) error {
			p.Log.Info("working")
			<-ctx.Done()
			return nil
		}))
	}
	goleak.VerifyTestMain(m)
}

func testProgram(run func(context.Context, Process) error) Program {
	c := testDefaults()
	return Program{
		Name: "rhea-test", Stage: "gateway", Version: "1.2.3", Doc: "Rhea-test.", Config: &c, Run: run,
	}
}

// life runs a program on a host of pipes and returns what it wrote.
func life(p Program, h Host) (code int, stdout, stderr string) {
	var out, logs strings.Builder
	h.Stdout, h.Stderr = &out, &logs
	if h.LookupEnv == nil {
		h.LookupEnv = env(nil)
	}
	code = p.Start(h)
	text := regexp.MustCompile(`(?m)^\S+Z +|/[0-9a-f]{8}| pid=\d+`).ReplaceAllString(logs.String(), "")
	return code, out.String(), text
}

func expect(t *testing.T, code int, stderr string, wantCode int, wantStderr string) {
	t.Helper()
	if code != wantCode || stderr != wantStderr {
		t.Errorf("exit %d, want %d; stderr:\n%swant:\n%s", code, wantCode, stderr, wantStderr)
	}
}

func TestStartAnswersAtOnce(t *testing.T) {
	for _, c := range []struct {
		args           []string
		code           int
		stdout, stderr string // the beginning
	}{
		{[]string{"--version"}, ExitOK, "rhea-test 1.2.3\n", ""},
		{[]string{"--help"}, ExitOK, "Usage: rhea-test [flags]\n\nRhea-test.\n", ""},
		{[]string{"--print-config", "--log.level=warn"}, ExitOK, "# the edge\n[gateway]\n", ""},
		{[]string{"file"}, ExitUsage, "", "rhea-test: \"file\" is not a flag, and nothing else is expected; see --help\n"},
		{[]string{"--log.level=loud"}, ExitUsage, "", "rhea-test: [log] level is \"loud\": want debug, info, warn or error\n"},
		{[]string{"--stage.drain=0s"}, ExitUsage, "", "rhea-test: [stage] drain is 0s: want more than 0\n"},
		{[]string{"--metrics.listen=9100"}, ExitUsage, "", "rhea-test: [metrics] listen is \"9100\": want host:port\n"},
	} {
		code, stdout, stderr := life(testProgram(nil), Host{Args: c.args})
		if code != c.code || !strings.HasPrefix(stdout, c.stdout) || stderr != c.stderr || c.stdout == "" && stdout != "" {
			t.Errorf("%q: exit %d, stdout %q, stderr %q", c.args, code, stdout, stderr)
		}
	}
}

func TestRunEndsByItself(t *testing.T) {
	for _, c := range []struct {
		err    error
		code   int
		stderr string
	}{
		{nil, ExitOK, "INFO  gateway started version=1.2.3\nINFO  gateway stopped after=0s\n"},
		{errors.New("disk full"), ExitFailure, "INFO  gateway started version=1.2.3\nERROR gateway failed err=\"disk full\"\n"},
		{context.Canceled, ExitFailure, "INFO  gateway started version=1.2.3\nERROR gateway failed err=\"context canceled\"\n"},
	} {
		synctest.Test(t, func(t *testing.T) {
			code, _, stderr := life(testProgram(func(context.Context, Process) error { return c.err }), Host{})
			expect(t, code, stderr, c.code, c.stderr)
		})
	}
}

// TestDrain stops programs that take three seconds to drain.
func TestDrain(t *testing.T) {
	const stopping = "INFO  gateway started version=1.2.3\nINFO  gateway stopping because=interrupt drain=10s\n"
	for name, c := range map[string]struct {
		second time.Duration // after the first signal; 0: none
		signal os.Signal     // the second
		drain  string
		err    error
		code   int
		stderr string
	}{
		"in time":       {0, nil, "10s", nil, ExitOK, stopping + "INFO  gateway stopped after=3s\n"},
		"ctx's error":   {0, nil, "10s", context.Canceled, ExitOK, stopping + "INFO  gateway stopped after=3s\n"},
		"fails":         {0, nil, "10s", errors.New("flush"), ExitFailure, stopping + "ERROR gateway failed err=flush\n"},
		"out of time":   {0, nil, "2s", nil, ExitFailure, strings.Replace(stopping, "10s", "2s", 1) + "ERROR gateway gave up draining: out of time drain=2s\n"},
		"hung up":       {time.Second, syscall.SIGHUP, "10s", nil, ExitOK, stopping + "INFO  gateway stopped after=3s\n"},
		"second signal": {time.Second, syscall.SIGTERM, "10s", nil, ExitFailure, stopping + "ERROR gateway gave up draining: second signal signal=terminated\n"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals := make(chan os.Signal, 2)
				done := make(chan struct{})
				p := testProgram(func(ctx context.Context, _ Process) error {
					defer close(done)
					signals <- syscall.SIGINT
					<-ctx.Done()
					if c.second > 0 {
						time.AfterFunc(c.second, func() { signals <- c.signal })
					}
					<-time.After(3 * time.Second)
					return c.err
				})
				code, _, stderr := life(p, Host{Signals: signals, Args: []string{"--stage.drain", c.drain}})
				expect(t, code, stderr, c.code, c.stderr)
				<-done
			})
		})
	}
}

func TestEndOfStdinStopsTheSupervised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stdin, supervisor := io.Pipe()
		p := testProgram(func(ctx context.Context, _ Process) error {
			if _, err := supervisor.Write([]byte("ignored")); err != nil {
				return err
			}
			if err := supervisor.Close(); err != nil {
				return err
			}
			<-ctx.Done()
			return nil
		})
		code, _, stderr := life(p, Host{Stdin: stdin, LookupEnv: env(map[string]string{SupervisedEnv: "1"})})
		expect(t, code, stderr, ExitOK, "INFO  gateway started version=1.2.3\n"+
			"INFO  gateway stopping because=\"the supervisor is gone\" drain=10s\nINFO  gateway stopped after=0s\n")
	})
}

// TestEndOfStdinWhileDraining must neither restart the drain nor cut it short.
func TestEndOfStdinWhileDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal, 1)
		stdin, supervisor := io.Pipe()
		p := testProgram(func(ctx context.Context, _ Process) error {
			signals <- syscall.SIGTERM
			<-ctx.Done()
			time.AfterFunc(time.Second, func() { _ = supervisor.Close() })
			<-time.After(3 * time.Second)
			return nil
		})
		code, _, stderr := life(p, Host{Stdin: stdin, Signals: signals, LookupEnv: env(map[string]string{SupervisedEnv: "1"})})
		expect(t, code, stderr, ExitOK, "INFO  gateway started version=1.2.3\n"+
			"INFO  gateway stopping because=terminated drain=10s\nINFO  gateway stopped after=3s\n")
	})
}

// TestUnsupervisedLeavesStdinAlone ends although nobody ever closes its input.
func TestUnsupervisedLeavesStdinAlone(t *testing.T) {
	stdin, supervisor := io.Pipe()
	defer func() { _ = supervisor.Close() }()
	code, _, _ := life(testProgram(func(context.Context, Process) error { return nil }), Host{Stdin: stdin})
	if code != ExitOK {
		t.Errorf("exit %d", code)
	}
}

func TestMetricsEndpoint(t *testing.T) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(url string) (int, string) {
		response, err := client.Get(url)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Error(err)
		}
		return response.StatusCode, string(body)
	}
	logs, stderr := io.Pipe()
	base := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(logs)
		for lines.Scan() {
			if _, address, ok := strings.Cut(lines.Text(), "listen="); ok {
				base <- "http://" + address
			}
		}
	}()
	signals := make(chan os.Signal, 1)
	p := testProgram(func(ctx context.Context, p Process) error {
		base := <-base
		p.Metrics.Counter("events", "Events taken.").Add(5)
		writer := p.For("writer")
		writer.Metrics.Counter("events", "Events taken.").Add(6)
		if code, body := get(base + "/metrics"); code != 200 ||
			!strings.Contains(body, "rhea_gateway_events_total 5\n") ||
			!strings.Contains(body, "\nrhea_writer_events_total 6\n") || !strings.Contains(body, "\nrhea_ready{check=\"life\",stage=\"gateway\"} 1\n") ||
			!strings.Contains(body, "go_goroutines ") || !strings.Contains(body, "process_resident_memory_bytes ") {
			t.Errorf("/metrics: %d %s", code, body)
		}
		if code, body := get(base + "/healthz"); code != 200 || body != "ok\n" {
			t.Errorf("/healthz: %d %s", code, body)
		}
		if code, body := get(base + "/readyz"); code != 503 || body != "process: is starting\nwriter: process: is starting\n" {
			t.Errorf("/readyz before anybody is: %d %s", code, body)
		}
		var shards, tree error
		p.Checks.Ready("shards", func() error { return shards })
		writer.Checks.Ready("tree", func() error { return tree })
		if code, body := get(base + "/readyz"); code != 200 || body != "ok\n" {
			t.Errorf("/readyz: %d %s", code, body)
		}
		if code, body := get(base + "/debug/pprof/goroutine?debug=1"); code != 200 || !strings.Contains(body, "goroutine profile") {
			t.Errorf("/debug/pprof: %d %s", code, body)
		}
		if code, _ := get(base + "/"); code != 404 {
			t.Errorf("/: %d", code)
		}
		shards, tree = errors.New("lost"), errors.New("felled")
		signals <- syscall.SIGTERM
		<-ctx.Done()
		if code, body := get(base + "/readyz"); code != 503 || body != "life: draining\nshards: lost\nwriter: tree: felled\n" {
			t.Errorf("/readyz while draining: %d %s", code, body)
		}
		if code, body := get(base + "/healthz"); code != 200 || body != "ok\n" {
			t.Errorf("/healthz while draining: %d %s", code, body)
		}
		p.Checks.Alive("loop", func() error { return errors.New("stuck") })
		for _, page := range []string{"/healthz", "/readyz"} {
			if code, body := get(base + page); code != 503 || !strings.HasPrefix(body, "loop: stuck\n") {
				t.Errorf("%s of one that is stuck: %d %s", page, code, body)
			}
		}
		return nil
	})
	code := p.Start(Host{
		Args: []string{"--metrics.listen=127.0.0.1:0"}, LookupEnv: env(nil), Stdout: io.Discard, Stderr: stderr, Signals: signals,
	})
	if code != ExitOK {
		t.Errorf("exit %d", code)
	}
	if err := stderr.Close(); err != nil {
		t.Error(err)
	}
}

func TestMetricsAddressInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	code, _, stderr := life(testProgram(nil), Host{Args: []string{"--metrics.listen", taken.Addr().String()}})
	expect(t, code, stderr, ExitFailure, "ERROR gateway cannot start err=\"metrics: listen tcp "+
		taken.Addr().String()+": bind: address already in use\"\n")
}
