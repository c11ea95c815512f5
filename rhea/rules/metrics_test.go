package rules

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

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
	files, err := filepath.Glob(filepath.Join(top, "docs", "deploy", "observe", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, filepath.Join(top, "docs", "operations.md")) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range metricNames(string(text)) {
			if !slices.Contains(names, name) {
				t.Errorf("%s names %s, which no stage has", filepath.Base(file), name)
			}
		}
	}
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
