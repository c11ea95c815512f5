package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
	"rhea/rhea/tap"
	"rhea/rhea/tap/decode"
)

// player is the shell around the core. All fields belong to the loop, but head.
type player struct {
	o      Options
	from   Source
	prefix string // of the recording
	core   *core

	bus, writerBus *bus.Bus
	roster, writer *bus.Roster // writer: nil unless this process plays one
	outbox         *bus.Outbox

	answers  *bus.Inbox[*relaypb.OutInbox]
	admitted *bus.Inbox[*relaypb.WriteInbox] // nil unless an ingester is alone
	entries  *bus.Inbox[*relaypb.LogInbox]   // nil unless there is a writer
	scans    *bus.Inbox[*relaypb.ScanInbox]  // nil unless there is none
	fetches  *bus.Inbox[*relaypb.LogFetch]
	slices   chan slice // of scans that the writer alone is asked for
	scanning sync.WaitGroup
	life     context.Context // of those who ask for them
	stop     context.CancelFunc

	log      logbook
	base     uint64        // the head of log before anything was played
	head     atomic.Uint64 // of log, for the announcements
	directs  *directs
	shelf    *shelf
	patience time.Duration
	started  time.Time
	told     time.Time // Progress
}

type slice struct {
	q     *question
	reply *relaypb.ScanReply
}

func newPlayer(from Source, join Join, o Options) (*player, error) {
	h := from.Header()
	then, err := subject.New(h.Prefix, h.Shards)
	if err != nil {
		return nil, err
	}
	b, err := join()
	if err != nil {
		return nil, err
	}
	if o.Patience == 0 {
		o.Patience = patience
	}
	if o.Clock == nil {
		o.Clock = new(Clock)
	}
	p := &player{o: o, from: from, prefix: h.Prefix, bus: b, outbox: b.NewOutbox(), directs: newDirects(), patience: o.Patience, slices: make(chan slice, 64)}
	p.life, p.stop = context.WithCancel(context.Background())
	p.log.store = 1
	for _, m := range h.Members {
		if m.Stage == string(subject.Writer) {
			p.log.store, p.log.head = max(1, m.Store), m.Seq
		}
	}
	p.base = p.log.head
	p.head.Store(p.log.head)
	p.core = newCore(o.Under, b.Space, then, b.Instance)
	p.core.began, p.core.tell, p.core.before = h.Started, o.Tell, p.log.head > 0
	p.core.redacted, p.core.elsewhere = len(h.Redacted) > 0, o.Elsewhere
	p.core.send = func(subj string, m proto.Message) {
		// What is not sent is not answered, and counted as that.
		_ = p.outbox.Send(subj, m)
	}
	p.core.ask = p.scan
	if err := p.announce(join); err != nil {
		p.close()
		return nil, err
	}
	if err := p.listen(); err != nil {
		p.close()
		return nil, err
	}
	p.core.explain = p.shelf.lacks
	return p, nil
}

// listen opens the inboxes: the gateway's, and those of the stages that are played.
func (p *player) listen() error {
	b, space := p.bus, p.bus.Space
	p.answers = bus.Listen(b, func() *relaypb.OutInbox { return new(relaypb.OutInbox) }, 1<<16)
	p.admitted = bus.Listen(b, func() *relaypb.WriteInbox { return new(relaypb.WriteInbox) }, 0)
	p.entries = bus.Listen(b, func() *relaypb.LogInbox { return new(relaypb.LogInbox) }, 0)
	p.scans = bus.Listen(b, func() *relaypb.ScanInbox { return new(relaypb.ScanInbox) }, 0)
	p.fetches = bus.Listen(b, func() *relaypb.LogFetch { return new(relaypb.LogFetch) }, 0)
	p.shelf = newShelf(func(msg *bus.Message, m *relaypb.ScanReply) {
		_ = b.Reply(msg, m) // a stage that hears nothing asks again
	})
	err := p.answers.Add(space.Out(b.Instance))
	switch p.o.Under {
	case "", subject.Writer:
		err = errors.Join(err, p.entries.Add(space.Log()))
	case subject.Ingester:
		err = errors.Join(err, p.admitted.Add(space.Write()))
	default:
		err = errors.Join(err, p.scans.Add(space.Scan()), p.fetches.Add(space.LogFetch()))
	}
	return err
}

func (p *player) close() {
	p.stop()
	p.scanning.Wait()
	p.bus.Close()
	if p.writerBus != nil {
		p.writerBus.Close()
	}
}

// play goes through the recording.
func (p *player) play(ctx context.Context) error {
	if err := p.enter(ctx); err != nil {
		return err
	}
	p.started = time.Now()
	for {
		m, err := p.from.Next()
		var cut *tap.CutError
		var damage *tap.DamageError
		switch {
		case errors.Is(err, io.EOF):
			return p.settle(ctx)
		case errors.As(err, &cut):
			p.core.result.Cut = err
			return p.settle(ctx)
		case errors.As(err, &damage):
			p.core.result.Holes++
			continue
		case err != nil:
			return err
		}
		p.core.result.Messages++
		goOn, err := p.message(ctx, m)
		if err != nil {
			return err
		}
		if !goOn {
			p.core.result.Ended = true
			return p.settle(ctx)
		}
	}
}

// message plays one bus message of the recording.
func (p *player) message(ctx context.Context, m tap.Message) (goOn bool, err error) {
	c := p.core
	said := decode.Message(p.prefix, m.Subject, m.Data)
	if c.began.IsZero() {
		c.began = m.At
	}
	c.at = m.At
	asks := slices.Contains(inputs(p.o.Under), said.Inbox)
	if asks && p.chosen(m.Subject) {
		c.settleHalted(m.At.Add(-haltedKept))
		c.judgeDoubts(m.At.Add(-doubtKept))
		c.tidy()
		c.restChains(false)
		if len(c.mine) > maxOpen {
			return false, errTooMany
		}
		if err := p.until(ctx, m.At); err != nil {
			return false, err
		}
		if err := p.gate(ctx); err != nil {
			return false, err
		}
		p.o.Clock.set(m.At)
	}
	for _, body := range said.Messages {
		body = p.directs.whole(said, m, body)
		p.before(said, m, body)
		if !asks || !p.chosen(m.Subject) || said.Inbox == "log" {
			c.note(m.Subject, said, body)
		}
		if !asks || !p.chosen(m.Subject) {
			continue
		}
		if p.o.Step != nil && !p.o.Step(stepLine(m.At.Sub(c.began), said.Inbox, body)) {
			return false, nil
		}
		if e, ok := decode.Body(body).(*relaypb.Entries); ok {
			p.publish(e)
			continue
		}
		p.awake()
		c.put(m.Reply, body)
	}
	p.flush()
	p.hearWaiting()
	p.progress()
	return true, nil
}

// before takes in what the stage under test will ask for.
func (p *player) before(said decode.Said, m tap.Message, body proto.Message) {
	if p.o.Under != subject.Reqworker && p.o.Under != subject.Negentropy {
		return
	}
	own := p.prefix + "." + subject.Version + ".reply." + string(p.o.Under) + "."
	switch b := decode.Body(body).(type) {
	case *relaypb.Scan:
		if strings.HasPrefix(m.Reply, own) {
			p.shelf.request(m.Reply, b)
		}
	case *relaypb.ScanReply:
		p.shelf.reply(m.Subject, b, m.At)
	}
}

// publish says again what was committed.
func (p *player) publish(e *relaypb.Entries) {
	e = proto.Clone(e).(*relaypb.Entries)
	p.awake()
	p.log.add(e)
	p.head.Store(p.log.head)
	p.core.moves++
	p.core.send(p.bus.Space.Log(), &relaypb.LogInbox{Body: &relaypb.LogInbox_Entries{Entries: e}})
}

// everything is the scan with which a negentropy process begins.
var everything = scanKey(&relaypb.Scan{Filters: []byte(`{}`), Want: relaypb.Want_IDS})

// awake answers, from the first question on, what a stage asks when it starts, and
// the recording may not have, since its stage was running already: it begins where the
// recording does, however much has been played, and fetches the log from there.
func (p *player) awake() {
	p.shelf.missing(func(k item) *relaypb.ScanReply {
		if k != everything {
			return nil
		}
		return &relaypb.ScanReply{Done: true, AsOf: p.base}
	})
}

// chosen says whether what is said on a subject is asked.
func (p *player) chosen(subj string) bool {
	root := p.prefix + "." + subject.Version + "."
	return len(p.o.Subjects) == 0 || slices.ContainsFunc(p.o.Subjects, func(s string) bool {
		return matches(root+s, subj)
	})
}

// matches says whether a subject is one of a pattern's (* one token, > the rest).
func matches(pattern, subj string) bool {
	p, s := strings.Split(pattern, "."), strings.Split(subj, ".")
	for i, token := range p {
		if token == ">" {
			return len(s) > i
		}
		if i >= len(s) || token != "*" && token != s[i] {
			return false
		}
	}
	return len(p) == len(s)
}

// scan asks the writer for a slice; the answer comes back by slices.
func (p *player) scan(m *relaypb.Scan, q *question) {
	p.scanning.Go(func() {
		ctx, cancel := context.WithTimeout(p.life, p.o.Patience)
		defer cancel()
		reply, err := p.bus.Scan(ctx, m)
		if err != nil {
			reply = nil // counted as no answer
		}
		select {
		case p.slices <- slice{q, reply}:
		case <-p.life.Done():
		}
	})
}

// stepLine tells of a message in a line.
func stepLine(since time.Duration, inbox string, body proto.Message) string {
	m := decode.Body(body)
	text := ""
	switch m := m.(type) {
	case *relaypb.EventFrame:
		text = excerpt(m.Event)
	case *relaypb.Admitted:
		text = excerpt(m.Json)
	case *relaypb.Query:
		text = excerpt(m.Filters)
	case *relaypb.Watch:
		text = excerpt(m.Filters)
	case *relaypb.NegOpen:
		text = excerpt(m.Filter)
	case *relaypb.Entries:
		text = fmt.Sprintf("%d to %d", m.From, m.Next-1)
	}
	conn := ""
	if f := m.ProtoReflect().Descriptor().Fields().ByName("conn"); f != nil {
		conn = subject.ConnID(m.ProtoReflect().Get(f).Uint()).String()
	}
	return strings.TrimRight(fmt.Sprintf("+%-12s %-7s %-11s %s  %s", since.Round(time.Microsecond), inbox, m.ProtoReflect().Descriptor().Name(), conn, text), " ")
}
