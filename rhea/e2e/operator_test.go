package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/subject"
)

// import, export, scan and status do what an operator expects.
func TestOperatorsCommands(t *testing.T) {
	r := start(t, "up", "", nil)
	events := nostrtest.Events(t)[:600]
	_, in := kept(events, true)
	in.Private = nil // operators see everything
	stored := in.Query(nil, time.Now().Unix(), []byte(`{}`))
	lines := bytes.Join(nostrtest.Lines(t)[:600], []byte("\n"))
	out, errs, err := r.rhea(bytes.NewReader(lines), "import")
	if err != nil || !strings.Contains(out, "accepted") {
		t.Fatalf("import: %v\n%s%s", err, out, errs)
	}
	again, _, err := r.rhea(bytes.NewReader(append(lines, "\nnot an event\n"...)), "import")
	t.Logf("import, twice and with a bad line:\n%s\n%s", out, again)
	if !strings.Contains(again, "duplicate") || !strings.Contains(again, "rejected") {
		t.Errorf("the second import does not tell duplicates and rejects: %v\n%s", err, again)
	}

	want := idsOf(stored)
	if got := scanned(t, r, "scan", `{}`); !slices.Equal(got, want) {
		t.Errorf("scan {}: %d events, want %d", len(got), len(want))
	}
	slices.Reverse(want)
	if got := scanned(t, r, "export"); !slices.Equal(got, want) {
		t.Errorf("export: %d events, want %d", len(got), len(want))
	}
	kind1 := nostrtest.OracleJSON(stored, []byte(`{"kinds":[1],"limit":7}`))
	if got := scanned(t, r, "scan", `{"kinds":[1],"limit":7}`); !slices.Equal(got, idsOf(kind1)) {
		t.Errorf("scan of a filter: %v, want %v", got, idsOf(kind1))
	}
	if _, errs, err := r.rhea(nil, "scan", `{"kinds":`); err == nil || errs == "" {
		t.Errorf("a bad filter: %v %q", err, errs)
	}
	status, _, err := r.rhea(nil, "status")
	t.Logf("status:\n%s", status)
	if err != nil {
		t.Error(err)
	}
	for _, st := range subject.Stages() {
		if !strings.Contains(status, string(st)) {
			t.Errorf("status does not name the %s", st)
		}
	}
	if _, errs, err := r.rhea(nil, "check"); err == nil {
		t.Error("check of a store in use succeeds")
	} else {
		t.Logf("check while it runs: %s", errs)
	}
	if _, err := launch(t, "up", r.data, nil); err == nil {
		t.Error("a second relay on the same data starts")
	} else {
		t.Logf("a second relay: %v", err)
	}
	busy := exec.Command(filepath.Join(bin, "rhea"), "up", "--listen", strings.TrimSuffix(strings.TrimPrefix(r.url, "ws://"), "/"), "--data", t.TempDir())
	if text, err := busy.CombinedOutput(); err == nil || !strings.Contains(string(text), "in use") {
		t.Errorf("a second relay on the same address: %v\n%s", err, text)
	}
	r.stop()
	if _, errs, err := r.rhea(nil, "scan", `{}`); err == nil || errs == "" {
		t.Errorf("scan without a relay: %v %q", err, errs)
	}
}

func scanned(t *testing.T, r *relay, args ...string) (ids []nostr.EventID) {
	t.Helper()
	out, errs, err := r.rhea(nil, args...)
	if err != nil {
		t.Fatalf("%v: %v %s", args, err, errs)
	}
	for line := range strings.Lines(out) {
		e, err := nostr.ParseEvent([]byte(strings.TrimSpace(line)), nostr.EventLimits{})
		if err != nil {
			t.Fatalf("%v: %v: %.100s", args, err, line)
		}
		ids = append(ids, e.ID)
	}
	return ids
}

// The relay's address answers HTTP as NIP-11 says.
func TestRelayInformation(t *testing.T) {
	r := start(t, "solo", "", nil, "RHEA_LIMITS_MAX_LIMIT=1234", "RHEA_RELAY_SOFTWARE=https://example.org/rhea")
	base := "http" + strings.TrimPrefix(r.url, "ws")
	ask := func(method, path, accept string) *http.Response {
		req, _ := http.NewRequest(method, strings.TrimSuffix(base, "/")+path, nil)
		req.Header.Set("Accept", accept)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	for _, accept := range []string{"application/nostr+json", "text/html, application/nostr+json;q=0.9", "APPLICATION/Nostr+JSON"} {
		resp := ask("GET", "/", accept)
		var doc struct {
			Software      string
			SupportedNIPs []int `json:"supported_nips"`
			Limitation    map[string]any
		}
		if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
			t.Fatalf("%s: %v", accept, err)
		}
		if doc.Limitation["max_limit"] != 1234.0 || !slices.Contains(doc.SupportedNIPs, 1) || doc.Software != "https://example.org/rhea" {
			t.Errorf("%s: %+v", accept, doc)
		}
		for _, h := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Headers", "Access-Control-Allow-Methods"} {
			if resp.Header.Get(h) == "" {
				t.Errorf("%s is not set", h)
			}
		}
	}
	if resp := ask("GET", "/", "text/html"); resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		t.Errorf("for people: %d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	if resp := ask("OPTIONS", "/", "*/*"); resp.StatusCode/100 != 2 || resp.Header.Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("OPTIONS: %d", resp.StatusCode)
	}
	if resp := ask("GET", "/elsewhere", "*/*"); resp.StatusCode != 404 {
		t.Errorf("elsewhere: %d", resp.StatusCode)
	}
	if _, err := connect(strings.TrimSuffix(r.url, "/") + "/elsewhere"); err == nil {
		t.Error("a socket elsewhere is accepted")
	}
}

// Stopping leaves no process behind, whether asked to or killed.
func TestNoProcessLeftBehind(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGKILL} {
		t.Run(fmt.Sprint(sig), func(t *testing.T) {
			r := start(t, "up", "", []string{"--ingesters", "2", "--reqworkers", "2", "--monitors", "2", "--gateways", "2"})
			_, roster := onlooker(t, r.busURL())
			var pids []int
			for _, st := range subject.Stages() {
				n := 2
				if st == subject.Writer || st == subject.Negentropy {
					n = 1
				}
				for _, m := range members(t, roster, st, n) {
					pids = append(pids, int(m.Pid))
				}
			}
			c := dial(t, r.url)
			if _, err := c.query("q", "{}"); err != nil {
				t.Fatal(err)
			}
			r.cmd.Process.Signal(sig)
			<-r.done
			if sig != syscall.SIGKILL && r.err != nil {
				t.Errorf("ended with %v", r.err)
			}
			for _, pid := range pids {
				waitEnd(t, pid)
			}
		})
	}
}

// waitEnd waits until a process that is not our child has ended.
func waitEnd(t *testing.T, pid int) {
	t.Helper()
	late := time.After(20 * time.Second)
	for again := true; again; {
		if ended(pid) {
			return
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-late:
			again = false
		}
	}
	t.Errorf("process %d is still there", pid)
	syscall.Kill(pid, syscall.SIGKILL)
}

// ended says whether a process has ended; one that nobody has reaped has.
func ended(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "Z")
}
