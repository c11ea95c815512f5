package top

import (
	"rhea/proto/subject"
	"rhea/rhea/status"
)

// work is which statistics say what a process of a stage does. Those that are not
// reported are 0.
type work struct {
	in, out     string    // counters: what it took, what came of it
	inIs, outIs string    // in a word
	queues      []string  // gauges of what waits inside
	fill        [2]string // what fills, and how much there may be
	time        string    // histogram of its work, in seconds
}

func workOf(s subject.Stage) work {
	switch s {
	case subject.Gateway:
		return work{"events", "deliveries", "events", "live", []string{"inbox_waiting"},
			[2]string{"window_bytes", "window_limit_bytes"}, "event_seconds"}
	case subject.Ingester:
		return work{"received", "admitted", "events", "admitted", []string{"inbox_waiting"}, [2]string{}, "batch_seconds"}
	case subject.Writer:
		return work{"received", "verdicts.new", "events", "stored", []string{"inbox_waiting", "commits_waiting", "scans_waiting"}, [2]string{}, "commit_seconds"}
	case subject.Reqworker:
		return work{"queries", "events", "queries", "events", []string{"inbox_waiting", "ready"}, [2]string{"running", "running_limit"}, "eose_seconds"}
	case subject.Monitor:
		return work{"commits", "recipients", "events", "matches", []string{"inbox_waiting", "log_waiting", "waiting"},
			[2]string{"watches", "watches_limit"}, "match_seconds"}
	case subject.Negentropy:
		return work{"messages", "reply_bytes", "messages", "bytes", []string{"inbox_waiting", "waiting"},
			[2]string{"sessions", "sessions_limit"}, "message_seconds"}
	}
	return work{}
}

// rate is what a process takes in, a second.
func rate(p status.Process) float64 { return p.Rates[workOf(p.Stage).in] }

// waiting is how much waits inside a process.
func waiting(p status.Process) (n float64) {
	for _, queue := range workOf(p.Stage).queues {
		n += p.Stats[queue]
	}
	return n
}

// fill is how much of what bounds a process is used, 0 to 1; false where nothing
// does.
func fill(p status.Process) (float64, bool) {
	f := workOf(p.Stage).fill
	limit := p.Stats[f[1]]
	if limit <= 0 {
		return 0, false
	}
	return p.Stats[f[0]] / limit, true
}

// mean is how long the work of a process took in the last second, in seconds; 0 if
// it did none.
func mean(p status.Process) float64 {
	name := workOf(p.Stage).time
	if n := p.Rates[name+".count"]; n > 0 {
		return p.Rates[name+".sum"] / n
	}
	return 0
}

// total adds up what all processes of a stage say.
func total(list []status.Process, s subject.Stage, of func(status.Process) float64) (sum float64) {
	for _, p := range list {
		if p.Stage == s {
			sum += of(p)
		}
	}
	return sum
}

func ratesOf(list []status.Process, s subject.Stage, stat string) float64 {
	return total(list, s, func(p status.Process) float64 { return p.Rates[stat] })
}

func statsOf(list []status.Process, s subject.Stage, stat string) float64 {
	return total(list, s, func(p status.Process) float64 { return p.Stats[stat] })
}
