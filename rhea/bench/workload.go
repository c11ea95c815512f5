package bench

// Workload is one kind of work, and one row or more of the table.
type Workload struct {
	Name string
	What string // one line
	run  func(*Session) ([]Result, error)
	// once: what it publishes is stored afterwards, so a second round has nothing new.
	once bool
	// fresh: a relay of ours is started anew for it, since what others have left in
	// memory would be in the figures.
	fresh bool
	// real: it needs a file of real events.
	real bool
}

// Workloads lists them in the order in which they run.
func Workloads() []Workload {
	list := []Workload{
		{Name: "ingest", What: "made events, 8 connections × 64 in flight; the first fifth, on an empty store, apart", run: ingest},
		{Name: "ingest-real", What: "the events of --events, 4 connections × 32 in flight", run: ingestReal, once: true, real: true},
		{Name: "ingest-again", What: "a fifth of the made events again, 8 connections × 64: all are stored already", run: ingestAgain},
		{Name: "ingest-one", What: "made events, one connection, one in flight", run: ingestOne},
		{Name: "live-100", What: "100 subscribers to everything, 100 events a second", run: live(100, 100)},
		{Name: "live-1000", What: "1,000 subscribers to everything, 100 events a second", run: live(1000, 100)},
		{Name: "live-max", What: "1,000 subscribers to everything, as fast as they are served, 64 events in flight", run: live(1000, 0)},
	}
	for _, q := range questions() {
		list = append(list, Workload{Name: "req-" + q.name, What: q.what, run: q.run})
	}
	return append(list,
		Workload{Name: "storm", What: "5,000 connections at once, each with a REQ", run: storm},
		Workload{Name: "idle", What: "18,000 connections with one subscription that do nothing: the memory of each", run: idle, fresh: true},
		Workload{Name: "sync", What: "negentropy over all events, of a client that lacks one in a hundred", run: reconcile},
		Workload{Name: "day", What: "200 readers, 50 events, 50 REQs and 5 new connections a second", run: day},
		Workload{Name: "after", What: "memory of all processes and bytes on disk, after all of the above", run: after})
}

// find returns the workload of a name, nil if there is none.
func find(name string) *Workload {
	for _, w := range Workloads() {
		if w.Name == name {
			return &w
		}
	}
	return nil
}
