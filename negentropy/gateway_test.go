package negentropy

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"rhea/proto/bus"
	"rhea/proto/negentropy"
	"rhea/proto/nostr"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// fakeGateway speaks the gateway's part, for one client at a time.
type fakeGateway struct {
	t       *testing.T
	bus     *bus.Bus
	inbox   *bus.Inbox[*relaypb.OutInbox]
	outbox  *bus.Outbox
	num     uint64
	answers map[[2]uint64]int // by num and turn
	waiting []*relaypb.NegReply
}

func startGateway(ctx context.Context, t *testing.T, m *bus.Memory, running *sync.WaitGroup) *fakeGateway {
	b := m.Join(newSpace(t), quiet)
	g := &fakeGateway{t: t, bus: b, outbox: b.NewOutbox(), answers: make(map[[2]uint64]int)}
	roster := bus.NewRoster(b, subject.Gateway, "", nil)
	running.Go(func() { roster.Run(ctx) })
	g.inbox = bus.Listen(b, func() *relaypb.OutInbox { return new(relaypb.OutInbox) }, 0)
	if err := g.inbox.Add(b.Space.Out(b.Instance)); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *fakeGateway) send(m *relaypb.NegInbox) {
	conn := subject.ConnID(m.GetOpen().GetConn() | m.GetMsg().GetConn() | m.GetClose().GetConn())
	if err := g.outbox.Send(g.bus.Space.Neg(g.bus.Space.ShardOf(conn)), m); err != nil {
		g.t.Fatal(err)
	}
	if err := g.outbox.Flush(); err != nil {
		g.t.Fatal(err)
	}
}

// reply waits for the next answer.
func (g *fakeGateway) reply() *relaypb.NegReply {
	for len(g.waiting) == 0 {
		g.read(<-g.inbox.C())
	}
	r := g.waiting[0]
	g.waiting = g.waiting[1:]
	return r
}

func (g *fakeGateway) read(msg *bus.Message) {
	g.inbox.Each(msg, func(m *relaypb.OutInbox) {
		r := m.GetNeg()
		g.answers[[2]uint64{r.Num, uint64(r.Turn)}]++
		g.waiting = append(g.waiting, r)
	})
}

// client is a client's side of a session.
type client struct {
	*negentropy.Client
	g      *fakeGateway
	filter string
	conn   subject.ConnID
	num    uint64
	turn   uint32
	next   []byte // to be sent
	done   bool
	err    string

	records uint64
}

// open begins a session and takes the first answer.
func (g *fakeGateway) open(conn uint32, filter string, keys []nostr.PubKey, own []item) *client {
	g.num++
	c := &client{Client: negentropy.NewClient(negentropy.NewSlice(slices.Clone(own)), 0), g: g, filter: filter, conn: subject.MakeConnID(g.bus.Instance, conn), num: g.num}
	m := openMsg(c.conn, c.num, filter, c.Open())
	for _, k := range keys {
		m.GetOpen().Keys = append(m.GetOpen().Keys, k[:])
	}
	g.send(m)
	c.take(g.reply())
	return c
}

func (c *client) take(r *relaypb.NegReply) {
	if r.Num != c.num || r.Turn != c.turn {
		c.g.t.Fatalf("the answer to session %d turn %d is %v", c.num, c.turn, r)
	}
	c.records = r.Records
	if c.err = r.Error; c.err != "" {
		c.done = true
		return
	}
	var err error
	if c.next, c.done, err = c.Next(nil, r.Message); err != nil {
		c.g.t.Fatal(err)
	}
}

// finish goes on until the client knows all differences, and closes the session.
func (c *client) finish() {
	for !c.done {
		c.turn++
		c.g.send(nextMsg(c.conn, c.num, c.turn, c.next))
		c.take(c.g.reply())
	}
	c.g.send(closeMsg(c.conn, c.num))
}

// check fails unless the client has found out exactly how two sets differ.
func (c *client) check(own, theirs []item) {
	c.g.t.Helper()
	if c.err != "" {
		c.g.t.Fatalf("session %d: %s", c.num, c.err)
	}
	if err := sameIDs(c.Have, minus(own, theirs)); err != nil {
		c.g.t.Fatalf("session %d, %s: have: %v", c.num, c.filter, err)
	}
	if err := sameIDs(c.Need, minus(theirs, own)); err != nil {
		c.g.t.Fatalf("session %d, %s: need: %v", c.num, c.filter, err)
	}
}

func minus(a, b []item) (ids []nostr.EventID) {
	in := make(map[nostr.EventID]bool)
	for _, x := range b {
		in[x.ID] = true
	}
	for _, x := range a {
		if !in[x.ID] {
			ids = append(ids, x.ID)
		}
	}
	return ids
}

// sameIDs compares sets: when an answer has no room for all ranges, the rest is
// sent as one, and what it holds is found out again.
func sameIDs(got, want []nostr.EventID) error {
	slices.SortFunc(got, nostr.EventID.Compare)
	got = slices.Compact(got)
	slices.SortFunc(want, nostr.EventID.Compare)
	if !slices.Equal(got, want) {
		return fmt.Errorf("%d ids, want %d others", len(got), len(want))
	}
	return nil
}

func openMsg(conn subject.ConnID, num uint64, filter string, msg []byte) *relaypb.NegInbox {
	return &relaypb.NegInbox{Body: &relaypb.NegInbox_Open{Open: &relaypb.NegOpen{
		Conn: uint64(conn), Num: num, Filter: []byte(filter), Message: msg}}}
}

func nextMsg(conn subject.ConnID, num uint64, turn uint32, msg []byte) *relaypb.NegInbox {
	return &relaypb.NegInbox{Body: &relaypb.NegInbox_Msg{Msg: &relaypb.NegMsg{
		Conn: uint64(conn), Num: num, Turn: turn, Message: msg}}}
}

func closeMsg(conn subject.ConnID, num uint64) *relaypb.NegInbox {
	return &relaypb.NegInbox{Body: &relaypb.NegInbox_Close{Close: &relaypb.NegClose{Conn: uint64(conn), Num: num}}}
}
