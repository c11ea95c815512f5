package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/stage"
	"rhea/rhea/operate"
	"rhea/rhea/status"
)

// startSolo runs a relay in this process until stop, which returns its exit code.
func startSolo(t *testing.T, data string, more ...string) (url string, stop func() int) {
	t.Helper()
	signals := make(chan os.Signal, 1)
	out, in := io.Pipe()
	code := make(chan int, 1)
	var errs bytes.Buffer
	go func() {
		code <- run(stage.Host{
			Args: append([]string{"solo", "--data", data, "--listen=127.0.0.1:0"}, more...), LookupEnv: noEnv,
			Stdin: strings.NewReader(""), Stdout: in, Stderr: &errs, Signals: signals,
		})
		in.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("not ready: %v\n%s", err, errs.String())
	}
	rest, ok := strings.CutPrefix(line, "rhea: ready on ")
	url, _, _ = strings.Cut(rest, " ")
	if !ok || !strings.Contains(line, "6 stages in one process · data "+data) {
		t.Fatal(line)
	}
	return url, func() int {
		signals <- syscall.SIGTERM
		go io.Copy(io.Discard, out)
		c := <-code
		if t.Failed() {
			t.Log(errs.String())
		}
		return c
	}
}

// The operator's day: a relay in one process, events in, events out, a look at
// its state, a check of what it leaves.
func TestOperator(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	_, stop := startSolo(t, data)
	stopped := false
	defer func() {
		if !stopped {
			stop()
		}
	}()
	lines := nostrtest.Lines(t)[:600]
	input := string(bytes.Join(lines, []byte("\n")))

	code, out, errs := call(input+"\n{}\nnonsense\n"+strings.Repeat("x", 300_000), "import", "--data", data)
	if code != 0 || !strings.Contains(out, "603 events in ") || !strings.Contains(out, "1 × line too long") {
		t.Fatalf("code %d\n%s\n%s", code, out, errs)
	}
	for _, place := range []string{"line 601: invalid: ", "line 602: invalid: ", "line 603: longer than "} {
		if !strings.Contains(errs, place) {
			t.Errorf("%q is not among\n%s", place, errs)
		}
	}
	if strings.Contains(errs, "\x1b") {
		t.Error("progress without a terminal")
	}
	file := filepath.Join(t.TempDir(), "again.jsonl")
	if err := os.WriteFile(file, []byte(input), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errs = call("", "import", "--no-verify", "--data", data, file); code != 0 || !strings.Contains(out, "\n           0  accepted\n") {
		t.Fatalf("code %d\n%s\n%s", code, out, errs)
	}

	stored := exported(t, data)
	checkScans(t, data, stored)
	checkExports(t, data, stored)
	running := checkInfo(t, data, stored)
	checkStatus(t, data)

	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"solo", "--data", data, "--listen", "127.0.0.1:0"}, 1, "a relay already runs on " + data + " (rhea solo, process "},
		{[]string{"check", "--data", data}, 1, "stop it first"},
		{[]string{"scan", "--data", data, `{"kinds":1}`}, stage.ExitUsage, `filter {"kinds":1}: `},
		{[]string{"scan", "--data", data}, stage.ExitUsage, "which events?"},
		{[]string{"scan", "--data", data, "--limit=-1", "{}"}, stage.ExitUsage, "--limit is -1"},
		{[]string{"count", "--data", data, "--since", "yesterday"}, stage.ExitUsage, `--since is "yesterday": want a time in Unix seconds`},
		{[]string{"export", "--data", data, "--resume"}, stage.ExitUsage, "--resume goes with --out FILE"},
		{[]string{"export", "--data", data, "--resume", "--out", "x.gz"}, stage.ExitUsage, "x.gz is compressed"},
		{[]string{"export", "--data", data, "--out", "no/such/x"}, 1, "no/such"},
		{[]string{"import", "--data", data, "no/such"}, 1, "no/such"},
	} {
		if code, _, errs := call("", c.args...); code != c.code || !strings.Contains(errs, c.want) {
			t.Errorf("%q: code %d, %s; want %d, %s", c.args, code, errs, c.code, c.want)
		}
	}

	stopped = true
	if code := stop(); code != 0 {
		t.Fatalf("it ends with code %d", code)
	}
	if code, out, errs = call("", "check", "--data", data); code != 0 || !strings.Contains(out, "the store is sound") {
		t.Errorf("code %d\n%s\n%s", code, out, errs)
	}
	atRest := checkInfo(t, data, stored)
	if running.Running == "" || atRest.Running != "" || running.Store != atRest.Store || running.Format != atRest.Format || running.Head != atRest.Head {
		t.Errorf("running %+v, stopped %+v", running, atRest)
	}
	if code, out, errs = call("", "info", "--data", data); code != 0 || !strings.Contains(out, "read from disk: no relay runs") || !strings.Contains(out, "\nsettings: disk_reserve ") {
		t.Errorf("code %d\n%s\n%s", code, out, errs)
	}
	if code, _, errs = call("", "export", "--data", data); code != 1 || !strings.Contains(errs, "no relay runs on "+data) {
		t.Errorf("code %d\n%s", code, errs)
	}
}

// A file that is shared with stages of other machines, whose NATS wants TLS, does
// not keep a relay with a NATS of its own from starting.
func TestForeignBus(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rhea.toml")
	text := "[bus]\nurl = \"tls://nats.example:4222\"\nca = \"/no/such/ca.pem\"\ncredentials = \"/no/such.creds\"\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stop := startSolo(t, filepath.Join(t.TempDir(), "data"), "--config", path); stop() != 0 {
		t.Fatal("it does not end well")
	}
	code, out, errs := call("", "up", "--print-config", "--config", path)
	if code != 0 || !strings.Contains(out, "ca = \"\"\n") || !strings.Contains(out, "credentials = \"\"\n") {
		t.Fatalf("code %d\n%s%s", code, out, errs)
	}
}

// exported returns all stored events, which come oldest first.
func exported(t *testing.T, data string) []*nostr.Event {
	t.Helper()
	code, out, errs := call("", "export", "--data", data)
	if code != 0 {
		t.Fatal(errs)
	}
	events := parsed(t, out)
	if len(events) < 300 {
		t.Fatalf("only %d events", len(events))
	}
	newestFirst := nostrtest.OracleJSON(events, []byte("{}"))
	slices.Reverse(newestFirst)
	same(t, "export", events, newestFirst)
	return events
}

func parsed(t *testing.T, jsonl string) []*nostr.Event {
	t.Helper()
	var events []*nostr.Event
	for line := range strings.Lines(jsonl) {
		e, err := nostr.ParseEvent([]byte(line), nostr.EventLimits{})
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		events = append(events, e)
	}
	return events
}

func same(t *testing.T, what string, got, want []*nostr.Event) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d events, want %d", what, len(got), len(want))
	}
	for i := range got {
		if got[i].ID != want[i].ID {
			t.Fatalf("%s: event %d is %s, want %s", what, i, got[i].ID, want[i].ID)
		}
	}
}

// checkScans holds scans against the oracle.
func checkScans(t *testing.T, data string, stored []*nostr.Event) {
	t.Helper()
	seed := rand.Uint64()
	t.Log("seed", seed)
	gen := nostrtest.NewFilterGen(seed, stored)
	for range 30 {
		filters := [][]byte{gen.JSON(), gen.JSON()}
		args := []string{"scan", "--data", data, string(filters[0]), string(filters[1])}
		code, out, errs := call("", args...)
		if code != 0 {
			t.Fatal(args, errs)
		}
		same(t, strings.Join(args, " "), parsed(t, out), nostrtest.OracleJSON(stored, filters...))
	}
	code, out, errs := call("", "scan", "--data", data, "--ascending", "--limit", "7", "{}")
	if code != 0 {
		t.Fatal(errs)
	}
	same(t, "the oldest seven", parsed(t, out), stored[:7])
}

// checkExports holds counts, spans of time and files against the events.
func checkExports(t *testing.T, data string, stored []*nostr.Event) {
	t.Helper()
	since, until := stored[len(stored)/3].CreatedAt, stored[len(stored)/2].CreatedAt
	span := fmt.Sprintf(`{"since":%d,"until":%d}`, since, until)
	want := nostrtest.OracleJSON(stored, []byte(span))
	for _, args := range [][]string{
		{"count", span}, {"scan", "--count", "[" + span + "]"}, {"count", "--since", fmt.Sprint(since), "--until", fmt.Sprint(until)},
		{"scan", "--count", fmt.Sprintf(`{"limit":%d}`, len(want))},
	} {
		if code, out, errs := call("", append(args, "--data", data)...); code != 0 || out != fmt.Sprintln(len(want)) {
			t.Errorf("%q: code %d, %s, want %d\n%s", args, code, out, len(want), errs)
		}
	}
	code, out, errs := call("", "export", "--data", data, "--reverse", "--since", fmt.Sprint(since), "--until", fmt.Sprint(until))
	if code != 0 {
		t.Fatal(errs)
	}
	same(t, "export --reverse", parsed(t, out), want)
	file := filepath.Join(t.TempDir(), "all.jsonl.zst")
	if code, _, errs = call("", "export", "--data", data, "--out", file); code != 0 {
		t.Fatal(errs)
	}
	all := fmt.Sprintf("\n%12d  duplicate", len(stored))
	if code, out, errs = call("", "import", "--no-verify", "--data", data, file); code != 0 || !strings.Contains(out, all) {
		t.Errorf("code %d, %s; want %s\n%s", code, out, all, errs)
	}
}

// checkInfo holds what is said of a store against the events in it.
func checkInfo(t *testing.T, data string, stored []*nostr.Event) (info operate.Info) {
	t.Helper()
	code, out, errs := call("", "info", "--json", "--data", data)
	if code != 0 {
		t.Fatal(errs)
	}
	if err := json.Unmarshal([]byte(out), &info); err != nil {
		t.Fatal(err)
	}
	if info.Events != uint64(len(stored)) || info.Oldest != stored[0].CreatedAt || info.Newest != stored[len(stored)-1].CreatedAt {
		t.Errorf("%s; %d events from %d to %d are stored", out, len(stored), stored[0].CreatedAt, stored[len(stored)-1].CreatedAt)
	}
	if info.Bytes == 0 || info.Parts == nil || info.Parts.WAL+info.Parts.Tables == 0 {
		t.Error(out)
	}
	return info
}

func checkStatus(t *testing.T, data string) {
	t.Helper()
	code, out, errs := call("", "status", "--json", "--data", data)
	if code != 0 {
		t.Fatal(errs)
	}
	var r status.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Processes) != 6 || len(r.Warnings) != 0 || r.Seq == 0 || r.Store == "" {
		t.Fatal(out)
	}
	for _, p := range r.Processes {
		if p.PID != os.Getpid() {
			t.Errorf("%s is process %d", p.Stage, p.PID)
		}
	}
	if code, out, _ = call("", "status", "--data", data); code != 0 || !strings.HasPrefix(out, "6 processes · 16 shards · seq ") {
		t.Fatal(out)
	}
}
