package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"rhea/proto/stage"
	"rhea/rhea/bench/corpus"
)

// Report is all that a run has measured.
type Report struct {
	Machine Machine  `json:"machine"`
	Results []Result `json:"results"`
	Ratios  []Ratio  `json:"ratios,omitempty"`
}

// runner does the workloads one after the other.
type runner struct {
	Options
	ctx    context.Context
	supply *supply
	report Report
}

// Run measures and writes the table to o.Out as it goes. A workload that fails is a row
// that says so; the error is then that some did. When ctx ends, so does it, and the
// relays that it has started.
func Run(ctx context.Context, o Options) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	o.Out = &audience{o.Out, stop}
	r := &runner{Options: o, ctx: ctx}
	r.supply = &supply{dir: o.Cache, made: make(map[uint64][]corpus.Event), tell: r.tell}
	err := r.all()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if o.JSON != nil {
		e := json.NewEncoder(o.JSON)
		e.SetIndent("", "  ")
		err = errors.Join(err, e.Encode(r.report))
	}
	return err
}

// audience is where the table goes. When nobody reads it any more the run ends, and the
// relays with it.
type audience struct {
	w    io.Writer
	stop context.CancelCauseFunc
}

func (a *audience) Write(b []byte) (int, error) {
	n, err := a.w.Write(b)
	if err != nil {
		a.stop(err)
	}
	return n, err
}

func (r *runner) tell(text string) { fmt.Fprintln(r.Out, text) }

func (r *runner) all() (err error) {
	parent := r.Parent
	if parent == "" {
		parent = os.TempDir()
	}
	if r.report.Machine, err = Look(parent, stage.Version()); err != nil {
		return err
	}
	r.tell(r.report.Machine.String())
	if r.Events != "" {
		if r.supply.real, err = corpus.Read(r.Events); err != nil {
			return err
		}
	}
	// Before a relay runs that signing would disturb.
	if _, err := r.supply.events(r.Seed, r.Count); err != nil {
		return err
	}
	if r.URL != "" {
		if err := r.over(&Relay{Name: "relay", URL: r.URL, Dir: r.Dir, pids: r.PIDs}); err != nil {
			return err
		}
		return r.verdict()
	}
	for _, mode := range r.Modes {
		relay, err := Start(r.ctx, r.Rhea, mode, r.Parent)
		if err != nil {
			return err
		}
		err = errors.Join(r.over(relay), relay.Stop())
		if err != nil {
			return err
		}
	}
	return r.verdict()
}

// over does all workloads on a relay, and on the one that it is compared with.
func (r *runner) over(first *Relay) error {
	if r.Compare == "" {
		return r.relays(first)
	}
	other := &Relay{Name: "other", URL: r.Compare, Dir: r.CompareDir, pids: r.ComparePIDs}
	err := r.relays(first, other)
	r.report.Ratios = ratios(r.report.Results, first.Name, other.Name)
	fmt.Fprint(r.Out, compared(r.report.Ratios, first.Name, other.Name))
	return err
}

// relays does all workloads, on each relay in turn.
func (r *runner) relays(relays ...*Relay) error {
	fmt.Fprint(r.Out, "\n", heading())
	for _, w := range r.chosen() {
		if w.real && r.supply.real == nil {
			r.tell(w.Name + ": left out, as it needs real events (--events FILE)")
			continue
		}
		for round := range r.Rounds {
			if round > 0 && w.once {
				continue
			}
			for _, relay := range relays {
				r.one(w, relay, round)
				if err := errors.Join(r.ctx.Err(), relay.gone()); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (r *runner) chosen() []Workload {
	if len(r.Workloads) == 0 {
		return Workloads()
	}
	var list []Workload
	for _, name := range r.Workloads {
		list = append(list, *find(name)) // Validate has looked
	}
	return list
}

// one does one workload on one relay and shows what came of it.
func (r *runner) one(w Workload, relay *Relay, round int) {
	results, err := r.work(w, relay, round)
	if err != nil {
		results = append(results, Result{Error: err.Error()})
	}
	r.show(w, relay, round, results)
}

// work does one workload, on a relay of its own if it should be fresh and is ours.
func (r *runner) work(w Workload, relay *Relay, round int) (results []Result, err error) {
	if w.fresh && relay.own != nil {
		if relay, err = Start(r.ctx, r.Rhea, relay.mode(), r.Parent); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, relay.Stop()) }()
	}
	return w.run(&Session{ctx: r.ctx, relay: relay, Options: r.Options, round: round, supply: r.supply})
}

func (r *runner) show(w Workload, relay *Relay, round int, results []Result) {
	for _, res := range results {
		if res.Workload == "" {
			res.Workload = w.Name
		}
		res.Relay, res.Round = relay.Name, round
		r.report.Results = append(r.report.Results, res)
		fmt.Fprint(r.Out, res.row())
	}
}

// verdict is an error when a workload has failed.
func (r *runner) verdict() error {
	failed := 0
	for _, res := range r.report.Results {
		if res.Error != "" {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d measurements failed", failed, len(r.report.Results))
	}
	return nil
}
