package bench

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/rhea/bench/corpus"
)

func TestValidate(t *testing.T) {
	for want, change := range map[string]func(*Options){
		"":                              func(*Options) {},
		`no workload "x"`:               func(o *Options) { o.Workloads = []string{"x"} },
		`"wss://h": want ws://`:         func(o *Options) { o.URL = "wss://h" },
		`mode "down"`:                   func(o *Options) { o.Modes = []string{"down"} },
		"want --mode up or --mode solo": func(o *Options) { o.Compare = "ws://h" },
		"5 events are too few":          func(o *Options) { o.Count = 5 },
		"must be more than 0":           func(o *Options) { o.Rounds = 0 },
	} {
		o := Default()
		change(&o)
		if err := o.Validate(); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v", want, err)
		}
	}
}

func TestWorkloadNames(t *testing.T) {
	seen := make(map[string]bool)
	for _, w := range Workloads() {
		if seen[w.Name] || w.What == "" || find(w.Name) == nil {
			t.Errorf("%q: twice, or without a word", w.Name)
		}
		seen[w.Name] = true
	}
	if last := Workloads()[len(seen)-1].Name; last != "after" {
		t.Errorf("%s comes last", last)
	}
}

// Each question finds something among the events that it is drawn from, and the same
// seed draws the same.
func TestQuestions(t *testing.T) {
	events, err := corpus.Made(t.TempDir(), 1, 500, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	var parsed []*nostr.Event
	for _, e := range events {
		p, err := nostr.ParseEvent(e.JSON, nostr.EventLimits{})
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, p)
	}
	for _, q := range questions() {
		p := newPick(events)
		texts := func(seed uint64) (list []string) {
			p.rng = rand.New(rand.NewPCG(seed, 0))
			for range 50 {
				list = append(list, string(q.filter(p, nil)))
			}
			return list
		}
		asked := texts(1)
		if again := texts(1); !slices.Equal(asked, again) {
			t.Errorf("%s: not the same again", q.name)
		}
		for _, text := range asked {
			if _, err := nostr.ParseFilter([]byte(text), nostr.FilterLimits{}); err != nil {
				t.Fatalf("%s: %s: %v", q.name, text, err)
			}
			if len(nostrtest.OracleJSON(parsed, []byte(text))) == 0 {
				t.Errorf("%s: %s finds nothing", q.name, text)
			}
		}
	}
}

func TestRatios(t *testing.T) {
	row := func(workload, relay string, round int, rate, cpu float64, failed string) Result {
		return Result{Workload: workload, Relay: relay, Round: round, Rate: rate, CPU: cpu, Error: failed}
	}
	got := ratios([]Result{
		row("w", "a", 0, 10, 1, ""), row("w", "b", 0, 5, 2, ""),
		row("w", "a", 1, 30, 1, ""), row("w", "b", 1, 10, 4, ""),
		row("w", "a", 2, 80, 0, ""), row("w", "b", 2, 10, 4, ""),
		row("w", "a", 3, 99, 9, ""), row("w", "b", 3, 0, 0, "it failed"),
		row("alone", "a", 0, 1, 1, ""),
	}, "a", "b")
	want := []Ratio{{Workload: "w", Rounds: 3, Rate: 3, CPU: 0.375}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
	if text := compared(got, "a", "b"); !strings.Contains(text, "3.00") || !strings.Contains(text, "0.38") || !strings.Contains(text, "–") {
		t.Errorf("%s", text)
	}
}

func TestRow(t *testing.T) {
	messages := 2.5
	r := Result{
		Workload: "w", Relay: "r", Unit: "event", Done: 7, Rate: 1234, Refused: 2, Latency: Latency{P50: 1500},
		CPU: 30, Stages: map[string]float64{"gateway": 10, "writer": 20}, Bus: &messages, Wakeups: 1, PSS: 5e6, Wire: 400, Text: 600, Deflate: "takeover",
		Figures: map[string]float64{"bytes_each": 1300}, Notes: []string{"refused: 2× no"},
	}
	for _, want := range []string{"1234", "1.50", "30.0 event", "writer 20.0 · gateway 10.0 · bus 2.50 messages · 1.00 wake-ups", "5.0", "bytes each 1300", "2 refused", "2× no", "client 0 µs · 400 bytes sent for 600 (deflate: takeover)"} {
		if !strings.Contains(r.row(), want) {
			t.Errorf("no %q in\n%s", want, r.row())
		}
	}
	r = Result{Workload: "w", Error: "no relay"}
	if !strings.Contains(r.row(), "failed: no relay") {
		t.Error(r.row())
	}
	// What is not known is left out, not 0.
	if text, err := json.Marshal(r); err != nil || strings.Contains(string(text), "cpu_us\":") && !strings.Contains(string(text), "client_cpu_us") || strings.Contains(string(text), "bus") {
		t.Errorf("%s %v", text, err)
	}
}

func TestReasons(t *testing.T) {
	var r reasons
	if r.after(": ") != "" {
		t.Error("a reason for nothing")
	}
	for i := range 3 * maxReasons {
		r.add(time.Duration(i).String())
	}
	r.add("")
	if got := r.after(": "); !strings.HasPrefix(got, ": 101× other reasons, ") || len(r.counts) != maxReasons+1 {
		t.Errorf("%d kinds, %s", len(r.counts), got)
	}
}

func TestLook(t *testing.T) {
	m, err := Look(t.TempDir(), "v1")
	if err != nil || m.Cores < 1 || m.FsyncUs <= 0 || m.CPU == "" {
		t.Errorf("%+v: %v", m, err)
	}
	m.Load = 0.6
	if !strings.Contains(m.String(), "warning: the machine was busy") {
		t.Error(m.String())
	}
}
