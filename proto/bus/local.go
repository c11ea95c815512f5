package bus

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"rhea/proto/subject"
)

// Server is a NATS server in this process.
type Server interface {
	nats.InProcessConnProvider
	// NumClients counts the connections to the server. It is called for every message.
	NumClients() int
	// Listeners counts the connections that listen on a subject. It may take its time.
	Listeners(subj string) int
}

// Local is the bus of stages that run in one process with the NATS server. What
// one of them says reaches the others through memory. NATS has it as well while
// anybody else is connected (an operator's command, a stage in another process), and
// brings what others say. Its methods are safe for concurrent use.
//
//	stage ──► Memory ──► stage
//	             │ ▲
//	if somebody  ▼ │  what is said elsewhere
//	is there    NATS
//
// Order and loss are those of NATS: what one connection publishes on a subject
// arrives in that order, and what finds an inbox full is dropped and counted.
type Local struct {
	mem     *Memory
	space   subject.Space
	server  Server
	outside *natsConn
	mine    *nats.Subscription // of all subjects of the deployment
	counted atomic.Bool        // somebody counts what mine has dropped
}

// DialLocal connects to the server in this process.
func DialLocal(ctx context.Context, c Config, server Server, log *slog.Logger) (*Local, error) {
	space, err := subject.New(c.Prefix, c.Shards)
	if err != nil {
		return nil, err
	}
	// NoEcho: what is published here has been delivered here.
	conn, err := dial(ctx, c, "local", log, []nats.Option{nats.InProcessServer(server), nats.NoEcho()})
	if err != nil {
		return nil, err
	}
	l := &Local{mem: NewMemory(), space: space, server: server, outside: conn}
	if l.mine, err = conn.nc.Subscribe(space.All(), l.fromOutside); err == nil {
		err = conn.nc.FlushTimeout(dialTimeout)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return l, nil
}

// Join returns a Bus on l for a stage or a command, as Dial does.
func (l *Local) Join(instance subject.Instance, name string, log *slog.Logger) *Bus {
	conn := func() *localConn { return &localConn{memoryConn: l.mem.conn(l.space.Replies(name)), l: l} }
	in := conn()
	in.counts = !l.counted.Swap(true)
	return New(l.space, instance, log, in, conn(), conn())
}

// Close ends the connection to the server.
func (l *Local) Close() { l.outside.Close() }

// fromOutside delivers what was said in another process. A question that nobody
// can answer is refused as the server would have done, had there been no
// subscription of all subjects.
func (l *Local) fromOutside(m *Message) {
	if l.mem.deliver(m) > 0 || m.Reply == "" || l.server.Listeners(m.Subject) > 1 {
		return
	}
	refusal := nats.NewMsg(m.Reply)
	refusal.Header.Set("Status", "503")
	_ = l.outside.nc.PublishMsg(refusal) // who asks has a time-out as well
}

// company reports whether anybody but this process is connected.
func (l *Local) company() bool { return l.server.NumClients() > 1 }

// localConn is a Memory's connection whose messages NATS has too where there is
// company.
type localConn struct {
	memoryConn
	l      *Local
	counts bool // what NATS has brought and nobody has taken, too
}

func (c *localConn) Publish(subj, reply string, data []byte) error {
	_, err := c.publish(subj, reply, data)
	return err
}

// publish tells NATS first: so who hears everything hears an answer after its
// question.
func (c *localConn) publish(subj, reply string, data []byte) (told audience, err error) {
	if c.l.company() {
		told.elsewhere, err = true, c.l.outside.Publish(subj, reply, data)
	}
	told.here = c.memoryConn.publish(subj, reply, data)
	return told, err
}

// ask is publish of a question, which has been asked if anybody here has it.
func (c *localConn) ask(subj, reply string, data []byte) (told audience, err error) {
	if told, err = c.publish(subj, reply, data); told.here > 0 {
		err = nil
	}
	return told, err
}

func (c *localConn) Ask(subj, reply string, data []byte) (here bool, err error) {
	told, err := c.ask(subj, reply, data)
	if err == nil && told == (audience{}) {
		err = ErrNobody
	}
	return told.here > 0, err
}

func (c *localConn) Request(ctx context.Context, subj string, data []byte) (*Message, error) {
	return c.request(ctx, func(reply string) (audience, error) { return c.ask(subj, reply, data) })
}

func (c *localConn) Dropped() uint64 {
	n := c.memoryConn.Dropped()
	if c.counts {
		n += droppedOf(c.l.mine)
	}
	return n
}

func (c *localConn) Reconnects() uint64 { return c.l.outside.Reconnects() }
func (c *localConn) Connected() bool    { return c.l.outside.Connected() }
