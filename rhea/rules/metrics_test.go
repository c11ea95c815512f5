package rules

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rhea/rhea/dashboard"
	"rhea/rhea/figures"
)

// Nobody documents, watches or is woken by a metric that does not exist.
func TestMetricsAreDocumented(t *testing.T) {
	list, err := figures.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	top := root(t)
	page, err := os.ReadFile(filepath.Join(top, filepath.FromSlash(figures.Page)))
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != figures.Markdown(list) {
		t.Errorf("%s is not what a relay says any more: run make gen", figures.Page)
	}
	var names []string
	for _, f := range list {
		names = append(names, f.Name)
		if f.Type == "histogram" {
			names = append(names, f.Name+"_bucket", f.Name+"_sum", f.Name+"_count")
		}
	}
	used := 0
	for _, file := range tracked(t) {
		if !strings.HasPrefix(file, "docs/") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(top, filepath.FromSlash(file)))
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted, not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range metricNames(string(text)) {
			if used++; !slices.Contains(names, name) {
				t.Errorf("%s names %s, which no stage has", file, name)
			}
		}
	}
	if used < 2*len(list) {
		t.Errorf("only %d names of metrics are found: does metricNames still know them?", used)
	}
}

// The dashboard is what package dashboard says, and each of its expressions is one;
// each alert is tried, and the page for operators says what to do about it.
func TestDashboardAndAlerts(t *testing.T) {
	top := root(t)
	read := func(path string) string {
		text, err := os.ReadFile(filepath.Join(top, filepath.FromSlash(path)))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	board, err := dashboard.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if read(dashboard.Path) != string(board) {
		t.Errorf("%s is not what the code says any more: run make gen", dashboard.Path)
	}
	const folder = "docs/deploy/observe/prometheus/"
	tests, page := read(folder+"alerts_test.yml"), read("docs/operations.md")
	alerts := regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(read(folder+"alerts.yml"), -1)
	for _, m := range alerts {
		if !strings.Contains(tests, `alertname="`+m[1]+`"`) {
			t.Errorf("alerts_test.yml does not try %s", m[1])
		}
		if !strings.Contains(page, "| `"+m[1]+"` |") {
			t.Errorf("docs/operations.md does not say what to do about %s", m[1])
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(Rhea\\w+)` \\|").FindAllStringSubmatch(page, -1) {
		if !slices.ContainsFunc(alerts, func(a []string) bool { return a[1] == m[1] }) {
			t.Errorf("docs/operations.md explains %s, which is no alert", m[1])
		}
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed: the rules and the dashboard's expressions are not tried")
	}
	run := func(args ...string) {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = filepath.Join(top, filepath.FromSlash(folder))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	run("check", "config", "prometheus.yml")
	run("test", "rules", "alerts_test.yml")
	// An expression is one if it could be a rule.
	var rules strings.Builder
	rules.WriteString("groups:\n- name: dashboard\n  rules:\n")
	for i, e := range dashboard.Expressions() {
		fmt.Fprintf(&rules, "  - record: dashboard:%d\n    expr: %q\n", i, strings.ReplaceAll(e, "$__rate_interval", "1m"))
	}
	file := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(file, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	run("check", "rules", file)
}

// metricNames finds what looks like a metric of ours. Rules that record one have a
// colon in its name.
func metricNames(text string) []string {
	var names []string
	for _, m := range regexp.MustCompile(`[a-z0-9_:]*rhea_[a-z0-9_:]*[a-z0-9]`).FindAllString(text, -1) {
		if !strings.Contains(m, ":") {
			names = append(names, m)
		}
	}
	return names
}

func TestMetricNames(t *testing.T) {
	got := metricNames(`sum(rate(rhea_gateway_events_total{a="rhea-x"}[1m])) / rhea:ok:p99 rhea_up`)
	if want := []string{"rhea_gateway_events_total", "rhea_up"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
