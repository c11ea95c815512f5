// Package figures knows every metric of a relay, by asking one: it runs a whole
// relay in this process for a moment, as rhea solo does, and reads what its stages
// count. So nothing is listed that does not exist, and the other way round.
//
// It writes docs/metrics.md (make gen) and serves the tests that compare it, the
// alert rules and the dashboard with the code.
package figures

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"rhea/proto/stage"
	"rhea/proto/subject"
	"rhea/rhea/settings"
	"rhea/rhea/solo"
	"rhea/rhea/up"
)

// Figure is one metric.
type Figure struct {
	Name   string // as Prometheus has it
	Type   string // counter, gauge or histogram
	Help   string
	Stages []subject.Stage     // that have it
	Labels map[string][]string // beside stage, with all values, sorted; no values: they vary
}

// Supervisor stands for the process of rhea up, and of rhea solo, where a stage
// would stand.
const Supervisor = subject.Stage("up")

// List returns all metrics by name. Its relay stores in a temporary directory and
// listens on free ports of loopback.
func List(ctx context.Context) ([]Figure, error) {
	data, err := os.MkdirTemp("", "rhea-figures-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(data)
	process := stage.NewProcess(io.Discard, stage.DefaultCommon().Log, string(Supervisor))
	stage.NewReloads(&stage.Loader{}, process) // of which nothing is read
	up.CountDeaths(process.Metrics, []up.Program{{Name: "a stage's name"}})
	families, err := gather(ctx, data, process)
	if err != nil {
		return nil, err
	}
	var list []Figure
	for _, f := range families {
		list = append(list, figure(f))
	}
	slices.SortFunc(list, func(a, b Figure) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

// gather runs the relay until it is whole.
func gather(ctx context.Context, data string, p stage.Process) (families []*dto.MetricFamily, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	c := settings.Default()
	c.Up.Data, c.Gateway.Listen, c.Gateway.Relay, c.Writer.Dir = data, "127.0.0.1:0", c.Relay, data+"/store"
	gathered := errors.New("the relay has never been whole")
	ended := solo.Run(ctx, solo.Options{
		Settings: c, Drain: stage.DefaultCommon().Stage.Drain,
		OnReady: func(net.Addr) {
			families, gathered = p.Gather()
			stop()
		},
	}, p)
	return families, errors.Join(gathered, ended)
}

func figure(f *dto.MetricFamily) Figure {
	one := Figure{Name: f.GetName(), Type: strings.ToLower(f.GetType().String()), Help: f.GetHelp(), Labels: make(map[string][]string)}
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			name, value := l.GetName(), l.GetValue()
			switch {
			case name == "stage":
				one.Stages = append(one.Stages, subject.Stage(value))
			case varies(name):
				one.Labels[name] = nil
			default:
				one.Labels[name] = append(one.Labels[name], value)
			}
		}
	}
	switch {
	case strings.HasPrefix(one.Name, "rhea_config_"):
		// Each process reads its configuration; here all stages are in one.
		one.Stages = append(subject.Stages(), Supervisor)
	case len(one.Stages) == 0:
		one.Stages = []subject.Stage{owner(one.Name)}
	}
	slices.Sort(one.Stages)
	one.Stages = slices.Compact(one.Stages)
	for name, values := range one.Labels {
		slices.Sort(values)
		one.Labels[name] = slices.Compact(values)
	}
	return one
}

// varies says of a label that its values are another relay's others.
func varies(label string) bool { return label == "version" || label == "child" }

// owner returns whose name a metric carries.
func owner(name string) subject.Stage {
	for _, st := range append(subject.Stages(), Supervisor) {
		if strings.HasPrefix(name, "rhea_"+string(st)+"_") {
			return st
		}
	}
	return ""
}

// labels writes a figure's labels for a reader.
func (f Figure) labels() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(f.Labels)) {
		part := "`" + name + "`"
		if values := f.Labels[name]; len(values) > 0 {
			part += fmt.Sprintf(": %s", strings.Join(values, ", "))
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "; ")
}
