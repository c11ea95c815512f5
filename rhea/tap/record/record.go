package record

import (
	"context"
	"io"
	"os"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/bus"
	"rhea/proto/subject"
	"rhea/rhea/tap"
)

// Options say what to record, and for how long.
type Options struct {
	Subjects []string      // relative to the deployment, such as "ingest.>"; none is all
	Redact   []string      // Auth, Addresses
	MaxSize  int64         // bytes of the file, which ends the recording; 0 is any
	MaxAge   time.Duration // of the recording, which ends it; 0 is any
	Version  string        // of the recorder
	Queue    int64         // bytes that may wait to be written; 0 is 64 MiB
	// AllMembers keeps every announcement; else those that say something new.
	AllMembers bool
	// Started, which may be nil, is called once everything that is said is recorded.
	Started func()
	// Progress, which may be nil, is called a few times a second.
	Progress func(Progress)
}

// Progress is how far a recording has come.
type Progress struct {
	Messages   int   // in the recording
	Bytes      int64 // of the file
	Dropped    uint64
	Reconnects uint64
	Took       time.Duration
	Why        string // it has ended; empty before
}

const (
	defaultQueue = 64 << 20
	// flushEvery is how much of the recording a crash costs at the most.
	flushEvery = 250 * time.Millisecond
	// maxHeard is how many bus messages wait for hear, which takes each at once.
	maxHeard = 16384
)

// The reasons for which a recording ends by itself.
const (
	BySize  = "its size is reached"
	ByAge   = "its age is reached"
	ByHand  = "interrupted"
	ByFault = "the bus is lost"
)

// Run records until ctx ends or a bound is reached, which is no error. What it has
// written can be read in any case.
func Run(ctx context.Context, b *bus.Bus, to io.Writer, o Options) (Progress, error) {
	if err := o.check(b.Space); err != nil {
		return Progress{}, err
	}
	in := bus.Overhear(b, maxHeard)
	defer in.Close()
	started := time.Now()
	subjects := Subjects(prefixOf(b.Space), o.Subjects)
	for _, s := range subjects {
		if err := in.Add(s); err != nil {
			return Progress{}, err
		}
	}
	if o.Queue == 0 {
		o.Queue = defaultQueue
	}
	q := newQueue(o.Queue)
	hearing, deaf := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); hear(hearing, in, q) }()
	defer func() { deaf(); <-done }()

	members, err := whoIsThere(ctx, b, slices.Contains(o.Redact, Addresses))
	if err != nil {
		return Progress{}, err
	}
	host, _ := os.Hostname() // a recording of a nameless machine is as good
	if slices.Contains(o.Redact, Addresses) {
		host = ""
	}
	w, err := tap.NewWriter(to, tap.Header{
		Prefix: prefixOf(b.Space), Shards: b.Space.Shards(), Started: started.UTC(), Host: host, Version: o.Version,
		Subjects: subjects, Redacted: o.Redact, Members: members,
	})
	if err != nil {
		return Progress{}, err
	}
	s := newSession(w, prefixOf(b.Space), o, started)
	s.bus, s.queue = b, q
	if o.Started != nil {
		o.Started()
	}
	return s.run(ctx)
}

// check refuses options that make no recording.
func (o Options) check(space subject.Space) error {
	if err := CheckRedact(o.Redact); err != nil {
		return err
	}
	return CheckSubjects(o.Subjects)
}

// hear notes the time of each message and queues it, until ctx ends.
func hear(ctx context.Context, in *bus.Inbox[proto.Message], q *queue) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-in.C():
			q.put(tap.Message{At: time.Now(), Subject: m.Subject, Reply: m.Reply, Data: m.Data})
		}
	}
}

// whoIsThere says Hello and returns who answers.
func whoIsThere(ctx context.Context, b *bus.Bus, redactHost bool) (members []tap.Member, err error) {
	r := bus.NewRoster(b, "", "", nil)
	err = r.While(ctx, func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.Settled():
		}
		for _, st := range subject.Stages() {
			for _, m := range r.View().Members(st) {
				members = append(members, memberOf(m, redactHost))
			}
		}
		return nil
	})
	return members, err
}
