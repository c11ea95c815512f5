package bench

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Options say what is measured. Start from Default.
type Options struct {
	Workloads []string // names, as Workloads lists them; none: all

	URL  string // of a relay that runs; "": Modes are started
	PIDs []int  // its processes; their children are found
	Dir  string // where it keeps its data

	Modes  []string // of Rhea: "up", "solo"
	Rhea   string   // the program that is started for them
	Parent string   // the directory for their data; "": the system's for temporary files

	Compare     string // URL of a second relay
	ComparePIDs []int
	CompareDir  string
	Rounds      int // of every workload

	Seed        uint64
	Count       int    // made events
	Events      string // file of real events; "": what needs them is left out
	Cache       string // directory for made events
	Time        time.Duration
	Rate        int // events and queries a second; 0: as fast as the answers come
	Subscribers int // at most
	Connections int // idle ones, at most
	Patience    time.Duration
	Deflate     bool // clients offer permessage-deflate

	Out  io.Writer // the table, and what there is to say
	JSON io.Writer // all results, when all is done; nil: nowhere
}

// Default returns the parameters of the project's goals.
func Default() Options {
	return Options{
		Modes: []string{"up", "solo"}, Rounds: 1, Seed: 1, Count: 100_000, Time: 10 * time.Second,
		Subscribers: 1000, Connections: 18_000, Patience: 20 * time.Second,
	}
}

// Validate says in one line what does not go together.
func (o *Options) Validate() error {
	for _, name := range o.Workloads {
		if find(name) == nil {
			return fmt.Errorf("there is no workload %q; --list names them", name)
		}
	}
	for _, u := range []string{o.URL, o.Compare} {
		if u != "" && !strings.HasPrefix(u, "ws://") {
			return fmt.Errorf("%q: want ws://host:port; with TLS much of what is measured would be TLS", u)
		}
	}
	for _, m := range o.Modes {
		if m != "up" && m != "solo" {
			return fmt.Errorf("mode %q: want up, solo or both", m)
		}
	}
	switch {
	case o.URL == "" && len(o.Modes) == 0:
		return errors.New("nothing to measure: want a URL or a mode")
	case o.Compare != "" && o.URL == "" && len(o.Modes) != 1:
		return errors.New("two relays are compared: want --mode up or --mode solo")
	case o.Count < 100:
		return fmt.Errorf("%d events are too few: want 100 or more", o.Count)
	case o.Rounds < 1 || o.Time <= 0 || o.Patience <= 0 || o.Subscribers < 1 || o.Connections < 1 || o.Rate < 0:
		return errors.New("rounds, times and numbers of connections must be more than 0")
	}
	return nil
}
