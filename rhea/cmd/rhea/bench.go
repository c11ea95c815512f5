package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"text/tabwriter"
	"time"

	"rhea/proto/stage"
	"rhea/rhea/bench"
)

const benchHelp = `Usage: rhea bench [flags] [WORKLOAD…]

Drives a relay over WebSockets as clients would, and says what each event, query and delivery has
cost: rate, latencies, CPU time of all the relay's processes together and of each stage, wake-ups,
bus messages, memory, disk. Without a URL it starts the relay itself, on a fresh store, first as
processes (rhea up), then as one (rhea solo), with the settings of the environment (RHEA_…).
--list names the workloads; without a name all of them run. docs/performance.md says what they do
and what the figures mean. Ends with exit code 1 when a workload has failed.

  --list               name the workloads
  --mode MODE          up, solo or both (both)
  --url URL            a relay that runs: ws://host:port
  --pid LIST           its processes, for CPU and memory; their children are found
  --dir DIR            where it keeps its data, for disk
  --compare URL        do the same on a second relay in turn (more in --compare-pid, --compare-dir)
  --rounds N           of every workload, in turn when two relays are compared (1)
  --events FILE        real events, one JSON object a line, plain or .gz or .zst; without them the
                       workloads that need some are left out
  --count N            made events that fill the store (100000); signed once, and then kept in
                       --cache DIR (of the user's cache directory)
  --seed N             of everything that is random (1)
  --time DURATION      of each workload of queries and of paced ones (10s)
  --rate N             send events and REQs at this rate, whatever the answers; latencies count
                       from when each was due (0: the next when one is answered)
  --subscribers N      live subscribers at most (1000)
  --connections N      idle connections at most (18000)
  --deflate            clients offer permessage-deflate, as browsers do, and inflate what comes
  --patience DURATION  how long a relay may say nothing before a workload fails (20s)
  --tmp DIR            where the relays that are started keep their data (the system's)
  --json FILE          write all results there as well; - is standard output, then the table goes
                       to standard error
`

type benchFlagSet struct {
	Flags struct {
		List        bool          `toml:"list"`
		Mode        string        `toml:"mode"`
		URL         string        `toml:"url"`
		PID         []string      `toml:"pid"`
		Dir         string        `toml:"dir"`
		Compare     string        `toml:"compare"`
		ComparePID  []string      `toml:"compare-pid"`
		CompareDir  string        `toml:"compare-dir"`
		Rounds      int           `toml:"rounds"`
		Events      string        `toml:"events"`
		Count       int           `toml:"count"`
		Cache       string        `toml:"cache"`
		Seed        uint64        `toml:"seed"`
		Time        time.Duration `toml:"time"`
		Rate        int           `toml:"rate"`
		Subscribers int           `toml:"subscribers"`
		Connections int           `toml:"connections"`
		Patience    time.Duration `toml:"patience"`
		Deflate     bool          `toml:"deflate"`
		Tmp         string        `toml:"tmp"`
		JSON        string        `toml:"json"`
	} `toml:"-"`
}

func runBench(h stage.Host) int {
	var own benchFlagSet
	f, o := &own.Flags, bench.Default()
	f.Mode, f.Rounds, f.Count, f.Seed, f.Time = "both", o.Rounds, o.Count, o.Seed, o.Time
	f.Subscribers, f.Connections, f.Patience = o.Subscribers, o.Connections, o.Patience
	l := &stage.Loader{Name: "rhea bench", Config: []any{&own}}
	rest, _, code, done := load(h, l, benchHelp, h.Args)
	if done {
		return code
	}
	if f.List {
		listWorkloads(h.Stdout)
		return stage.ExitOK
	}
	o, err := own.options(rest)
	if err == nil {
		err = o.Validate()
	}
	if err != nil {
		fail(h, "bench", err)
		return stage.ExitUsage
	}
	o.Out = h.Stdout
	if f.JSON == "-" {
		o.Out, o.JSON = h.Stderr, h.Stdout
	} else if f.JSON != "" {
		file, err := os.Create(f.JSON)
		if err != nil {
			return fail(h, "bench", err)
		}
		defer func() { // what was written is synced by nobody, and asked for by nobody
			if err := file.Close(); err != nil {
				fail(h, "bench", err)
			}
		}()
		o.JSON = file
	}
	if _, set := h.LookupEnv("GOMAXPROCS"); !set {
		// Half of the machine is the relay's. Go wakes threads for every processor that it may
		// use: with one of two the load costs a third less and the rates are no lower.
		runtime.GOMAXPROCS(max(1, stage.Half(runtime.GOMAXPROCS(0))))
	}
	stage.IgnoreBrokenPipes() // which would end this process and leave the relay
	ctx, _, stopWatching := stopOnSignals(h.Signals, nil)
	defer stopWatching()
	err = bench.Run(ctx, o)
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if err != nil {
		return fail(h, "bench", err)
	}
	return stage.ExitOK
}

// options are what the flags say.
func (own *benchFlagSet) options(workloads []string) (o bench.Options, err error) {
	f := own.Flags
	o = bench.Options{
		Workloads: workloads, URL: f.URL, Dir: f.Dir, Modes: []string{f.Mode}, Parent: f.Tmp,
		Compare: f.Compare, CompareDir: f.CompareDir, Rounds: f.Rounds, Seed: f.Seed, Count: f.Count, Events: f.Events,
		Cache: f.Cache, Time: f.Time, Rate: f.Rate, Subscribers: f.Subscribers, Connections: f.Connections, Patience: f.Patience, Deflate: f.Deflate,
	}
	if f.Mode == "both" {
		o.Modes = bench.Default().Modes
	}
	if o.PIDs, err = pids(f.PID); err != nil {
		return o, err
	}
	if o.ComparePIDs, err = pids(f.ComparePID); err != nil {
		return o, err
	}
	for _, dir := range []string{f.Dir, f.CompareDir} {
		if info, err := os.Stat(dir); dir != "" && (err != nil || !info.IsDir()) {
			return o, fmt.Errorf("%s is no directory", dir)
		}
	}
	if o.Cache == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return o, fmt.Errorf("where to keep made events? --cache says: %w", err)
		}
		o.Cache = filepath.Join(cache, "rhea-bench")
	}
	if o.Rhea, err = os.Executable(); err != nil {
		return o, fmt.Errorf("starting a relay: %w", err)
	}
	return o, nil
}

func pids(texts []string) (list []int, err error) {
	for _, text := range texts {
		pid, err := strconv.Atoi(text)
		if err != nil || pid <= 0 {
			return nil, fmt.Errorf("%q is no process: want its number", text)
		}
		list = append(list, pid)
	}
	return list, nil
}

func listWorkloads(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, work := range bench.Workloads() {
		fmt.Fprintf(t, "%s\t%s\n", work.Name, work.What)
	}
	t.Flush() // a list that cannot be printed has nobody to tell
}
