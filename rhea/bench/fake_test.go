package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake runs a relay that answers each message with what reply returns; nil ends the
// connection.
func fake(t *testing.T, reply func(verb, arg string) []string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			return
		}
		defer conn.Close()
		talk(conn, reply)
	}))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

func talk(conn net.Conn, reply func(verb, arg string) []string) {
	for {
		msg, err := wsutil.ReadClientText(conn)
		if err != nil {
			return
		}
		var parts []json.RawMessage
		var verb, arg string
		json.Unmarshal(msg, &parts)
		json.Unmarshal(parts[0], &verb)
		if arg = strings.Trim(string(parts[1]), `"`); verb == "EVENT" {
			var e struct{ ID string }
			json.Unmarshal(parts[1], &e)
			arg = e.ID
		}
		answers := reply(verb, arg)
		if answers == nil {
			ws.WriteFrame(conn, ws.NewCloseFrame(ws.NewCloseFrameBody(4000, "not today")))
			return
		}
		for _, a := range answers {
			if err := wsutil.WriteServerText(conn, []byte(a)); err != nil {
				return
			}
		}
	}
}

// bench runs workloads, or all, on a relay that runs.
func bench(t *testing.T, url string, patience time.Duration, workloads ...string) []Result {
	t.Helper()
	var table, out bytes.Buffer
	o := Default()
	o.URL, o.Workloads, o.Cache, o.Out, o.JSON = url, workloads, t.TempDir(), &table, &out
	o.Count, o.Time, o.Patience, o.Subscribers, o.Connections = 100, 20*time.Millisecond, patience, 2, 3
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	failed := Run(context.Background(), o)
	var report Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	errors := 0
	for _, r := range report.Results {
		if !strings.Contains(table.String(), r.Workload) {
			t.Errorf("%s is not in the table", r.Workload)
		}
		if r.Error != "" {
			errors++
		}
	}
	if (failed != nil) != (errors > 0) {
		t.Errorf("%d workloads failed, and the run ends with %v", errors, failed)
	}
	return report.Results
}

// A relay that fails has every workload but the one that asks it nothing fail, each
// soon and with the reason.
func TestRelaysThatFail(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "full", http.StatusServiceUnavailable)
	}))
	defer busy.Close()
	short, long := 40*time.Millisecond, 10*time.Second // whether a relay answers at all
	for _, c := range []struct {
		name, url, want string
		patience        time.Duration
	}{
		{"silent", fake(t, func(string, string) []string { return []string{} }), "the relay stalls", short},
		{"closing", fake(t, func(string, string) []string { return nil }), "4000 not today", long},
		{"full", "ws" + strings.TrimPrefix(busy.URL, "http"), "503", long},
		{"gone", "ws" + strings.TrimPrefix(closed.URL, "http"), "refused", long},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, r := range bench(t, c.url, c.patience) {
				if r.Workload != "after" && (r.Done > 0 || !strings.Contains(r.Error, c.want)) {
					t.Errorf("%s: %d done, error %q, want %q", r.Workload, r.Done, r.Error, c.want)
				}
			}
		})
	}
}

// What a relay says instead of an answer is told.
func TestNotices(t *testing.T) {
	url := fake(t, func(string, string) []string { return []string{`["NOTICE","hm"]`} })
	for _, r := range bench(t, url, 500*time.Millisecond, "ingest", "live-100") {
		if !strings.Contains(r.Error, "the relay stalls: nothing for 500ms") || !strings.Contains(r.Error, "it has said: ") || !strings.Contains(r.Error, "× hm") {
			t.Errorf("%s: error %q", r.Workload, r.Error)
		}
	}
}

// What is refused is counted apart, and nothing is measured over a store that could not
// be filled.
func TestRefusals(t *testing.T) {
	url := fake(t, func(verb, arg string) []string {
		switch verb {
		case "EVENT":
			return []string{`["OK","` + arg + `",false,"blocked: no"]`}
		case "REQ":
			return []string{`["EOSE","` + arg + `"]`}
		}
		return []string{}
	})
	results := bench(t, url, time.Second, "ingest", "req-id", "live-100", "ingest-one")
	for _, r := range results {
		switch r.Workload {
		case "ingest, first 20":
			if r.Done > 0 || r.Refused < 20 {
				t.Errorf("%+v", r)
			}
		case "ingest":
			if r.Done > 0 || r.Refused != 100 || len(r.Notes) != 1 || r.Notes[0] != "refused: 100× blocked: no" {
				t.Errorf("%+v", r)
			}
		case "ingest-one":
			if r.Done > 0 || r.Refused != 10 {
				t.Errorf("%+v", r)
			}
		case "req-id", "live-100":
			if !strings.Contains(r.Error, "blocked: no") {
				t.Errorf("%+v", r)
			}
		default:
			t.Errorf("unexpected: %+v", r)
		}
	}
	if len(results) != 5 {
		t.Errorf("%d results", len(results))
	}
}

// An OK with "duplicate:" is a failure where events are new, and a success where they
// are not.
func TestDuplicates(t *testing.T) {
	url := fake(t, func(verb, arg string) []string {
		if verb != "EVENT" {
			return []string{`["CLOSED","` + arg + `","error: no"]`}
		}
		return []string{`["OK","` + arg + `",true,"duplicate: have it"]`}
	})
	for _, r := range bench(t, url, time.Second, "ingest", "ingest-again", "req-id", "idle") {
		switch r.Workload {
		case "ingest":
			if r.Done > 0 || r.Refused != 100 {
				t.Errorf("%+v", r)
			}
		case "ingest-again":
			if r.Done != 20 || r.Refused > 0 || r.Latency.P50 <= 0 {
				t.Errorf("%+v", r)
			}
		case "req-id":
			if r.Done > 0 || r.Refused < 8 || !strings.Contains(r.Notes[0], "error: no") {
				t.Errorf("%+v", r)
			}
		case "idle":
			if !strings.Contains(r.Error, "error: no") {
				t.Errorf("%+v", r)
			}
		}
	}
}

// When the caller has had enough, a run ends in the middle of a workload.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	url := fake(t, func(string, string) []string { cancel(); return []string{} })
	o := Default()
	o.URL, o.Cache, o.Out, o.Count, o.Patience = url, t.TempDir(), &bytes.Buffer{}, 100, time.Hour
	if err := Run(ctx, o); err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("got %v", err)
	}
}

// With a rate, no more is sent than is due in the time, and the first fifth is of that.
// A store that has been given only this much is filled before it is asked about.
func TestPacedIngest(t *testing.T) {
	var mu sync.Mutex
	sent := make(map[string]bool)
	url := fake(t, func(verb, arg string) []string {
		switch verb {
		case "EVENT":
			mu.Lock()
			sent[arg] = true
			mu.Unlock()
			return []string{`["OK","` + arg + `",true,""]`}
		case "REQ":
			return []string{`["EVENT","` + arg + `",{}]`, `["EOSE","` + arg + `"]`}
		}
		return []string{}
	})
	var table bytes.Buffer
	o := Default()
	o.URL, o.Workloads, o.Cache, o.Out = url, []string{"ingest", "req-id"}, t.TempDir(), &table
	o.Count, o.Time, o.Patience, o.Rate = 100, 20*time.Millisecond, time.Second, 500
	if err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(table.String(), "ingest, first 2") {
		t.Errorf("no row of a fifth of what is due:\n%s", table.String())
	}
	mu.Lock()
	defer mu.Unlock()
	if len(sent) != o.Count {
		t.Errorf("the store holds %d events when it is asked about %d", len(sent), o.Count)
	}
}
