package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"rhea/proto/subject"
	"rhea/rhea/bench"
	"rhea/rhea/bench/proc"
)

// benchmark is a run of rhea bench that takes seconds; what it starts keeps its data in
// tmp.
func benchmark(t *testing.T, tmp string, args ...string) *exec.Cmd {
	args = append([]string{"bench", "--count", "300", "--time", "100ms", "--subscribers", "10", "--connections", "30",
		"--cache", t.TempDir(), "--tmp", tmp}, args...)
	return exec.Command(filepath.Join(bin, "rhea"), args...)
}

// measured is what a run has measured.
func measured(t *testing.T, args ...string) bench.Report {
	t.Helper()
	file := filepath.Join(t.TempDir(), "results.json")
	if out, err := benchmark(t, t.TempDir(), append(args, "--json", file)...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var report bench.Report
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	return report
}

// Every workload does its work on a real relay, which refuses nothing of it, and says
// what it has cost.
func TestBenchEveryWorkload(t *testing.T) {
	report := measured(t, "--mode", "solo", "--events", "../../proto/nostr/testdata/events.jsonl.gz")
	var left []string
	for _, w := range bench.Workloads() {
		left = append(left, w.Name)
	}
	for _, r := range report.Results {
		left = slices.DeleteFunc(left, func(name string) bool { return name == r.Workload })
		if r.Done == 0 || r.CPU <= 0 || r.PSS <= 0 || r.Bus == nil || *r.Bus <= 0 && r.Unit == "event" || r.Refused > 0 && r.Workload != "ingest-real" {
			t.Errorf("%+v", r)
		}
	}
	if len(left) > 0 {
		t.Errorf("no result of %q", left)
	}
}

// The CPU time of rhea up is told by stage, and that of a relay that was there already
// beside it.
func TestBenchCompares(t *testing.T) {
	other := start(t, "solo", "", nil)
	report := measured(t, "--mode", "up", "--rounds", "2", "--compare", other.url,
		"--compare-pid", strconv.Itoa(other.cmd.Process.Pid), "--compare-dir", other.data, "ingest", "req-mix", "live-100")
	stages := []string{"up"}
	for _, st := range subject.Stages() {
		stages = append(stages, string(st))
	}
	slices.Sort(stages)
	for i, r := range report.Results {
		want := stages
		if r.Relay == "other" {
			want = []string{"solo"}
		}
		if got := slices.Sorted(maps.Keys(r.Stages)); !slices.Equal(got, want) || r.Done == 0 || r.Refused > 0 || r.Disk == 0 {
			t.Errorf("result %d: %+v", i, r)
		}
	}
	if len(report.Results) != 16 || len(report.Ratios) != 4 {
		t.Fatalf("%d results, ratios %+v", len(report.Results), report.Ratios)
	}
	for _, r := range report.Ratios {
		if r.Rounds != 2 || r.CPU <= 0 || r.Rate <= 0 || r.P50 <= 0 {
			t.Errorf("%+v", r)
		}
	}
}

// Clients that offer permessage-deflate are sent less, and nothing that they cannot read.
func TestBenchDeflate(t *testing.T) {
	t.Setenv("RHEA_GATEWAY_DEFLATE", "message")
	report := measured(t, "--mode", "solo", "--deflate")
	for _, r := range report.Results {
		if r.Deflate != "no takeover" && r.Workload != "after" && !strings.HasPrefix(r.Workload, "ingest") || r.Done == 0 || r.Refused > 0 {
			t.Errorf("%+v", r)
		}
		if strings.HasPrefix(r.Workload, "live") && (r.Wire > 0.9*r.Text || r.Wire < 0.3*r.Text) {
			t.Errorf("%s: %.0f bytes are sent for %.0f", r.Workload, r.Wire, r.Text)
		}
	}
}

// An open loop asks no more and no less than it is told to.
func TestBenchAtARate(t *testing.T) {
	report := measured(t, "--mode", "solo", "--time", "500ms", "--rate", "100", "req-id", "ingest-one")
	for _, r := range report.Results {
		if r.Done < 49 || r.Done > 51 {
			t.Errorf("%s: %d in half a second at 100 a second", r.Workload, r.Done)
		}
	}
}

// Whoever interrupts a run, or does not read it any more, is left no relay and no data.
func TestBenchInterrupted(t *testing.T) {
	for _, c := range []struct {
		name  string
		leave func(cmd *exec.Cmd, out io.Closer)
		says  string
	}{
		{"signal", func(cmd *exec.Cmd, _ io.Closer) { cmd.Process.Signal(syscall.SIGINT) }, "rhea bench: interrupted"},
		{"pipe", func(_ *exec.Cmd, out io.Closer) { out.Close() }, "rhea bench: write"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tmp := t.TempDir()
			cmd := benchmark(t, tmp, "--mode", "up", "--time", "1s", "ingest", "live-100", "req-id", "day")
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			var errs strings.Builder
			cmd.Stderr = &errs
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for lines := bufio.NewScanner(out); lines.Scan(); {
				if strings.HasPrefix(lines.Text(), "ingest ") {
					c.leave(cmd, out)
				}
			}
			if err := cmd.Wait(); err == nil || !strings.Contains(errs.String(), c.says) {
				t.Errorf("ends with %v, %s", err, errs.String())
			}
			if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
				t.Errorf("leaves %v behind: %v", left, err)
			}
		})
	}
}

// Whoever kills a run is left its data, and no process.
func TestBenchKilled(t *testing.T) {
	for _, mode := range []string{"up", "solo"} {
		t.Run(mode, func(t *testing.T) {
			cmd := benchmark(t, t.TempDir(), "--mode", mode, "--time", "30s", "ingest", "req-id")
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var pids []int
			for lines := bufio.NewScanner(out); lines.Scan(); {
				if strings.HasPrefix(lines.Text(), "ingest ") {
					if pids, err = proc.Tree(cmd.Process.Pid); err != nil {
						t.Error(err)
					}
					cmd.Process.Kill()
				}
			}
			cmd.Wait() // killed
			if want := map[string]int{"up": 2 + len(subject.Stages()), "solo": 2}[mode]; len(pids) != want {
				t.Errorf("%d processes, want %d", len(pids), want)
			}
			for _, pid := range pids {
				waitEnd(t, pid)
			}
		})
	}
}
