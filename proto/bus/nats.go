package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"rhea/proto/rawconn"
	"rhea/proto/subject"
)

// Config says where the bus is; section [bus] of the configuration.
type Config struct {
	URL         string `toml:"url" help:"NATS servers, comma separated, the one to prefer first; tls://… for TLS"`
	Prefix      string `toml:"prefix" help:"first token of every subject; deployments that share a NATS differ in it"`
	Shards      int    `toml:"shards" help:"number of shards, a power of two; the same in every process, for good"`
	Credentials string `toml:"credentials" help:"NATS credentials file"`
	CA          string `toml:"ca" help:"certificate authority of the NATS servers (PEM file)"`
	Cert        string `toml:"cert" help:"certificate by which NATS knows this process (PEM file); read again at every connect"`
	Key         string `toml:"key" help:"private key of cert (PEM file)"`
}

// DefaultConfig is a NATS server on this machine.
func DefaultConfig() Config {
	return Config{URL: nats.DefaultURL, Prefix: subject.DefaultPrefix, Shards: subject.DefaultShards}
}

// Validate reports the first thing in c that cannot work.
func (c Config) Validate() error {
	if c.URL == "" {
		return errors.New("url: where is NATS?")
	}
	if (c.Cert == "") != (c.Key == "") {
		return errors.New("cert, key: one is nothing without the other")
	}
	_, err := subject.New(c.Prefix, c.Shards)
	return err
}

// A connection on which nothing comes back for (lostPings+1)·pingEvery = 4 s is
// taken for lost: TCP alone would wait for minutes when a cable is pulled. It is
// longer than a busy machine holds an answer back, and about as long as a roster
// takes to miss a process (deadAfter). Within a machine no cable can be pulled, a
// server that is gone is missed at once, and one that stands still has no substitute;
// but each ping wakes both ends, on three connections of every process.
const (
	pingEvery      = time.Second
	pingLocalEvery = 20 * time.Second
	lostPings      = 3
)

// pingsOf is how often the servers of a URL are sent a ping.
func pingsOf(url string) time.Duration {
	for server := range strings.SplitSeq(url, ",") {
		_, host, found := strings.Cut(server, "://")
		if !found {
			host = server
		}
		host = host[strings.LastIndex(host, "@")+1:]
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if ip := net.ParseIP(strings.Trim(host, "[] ")); ip == nil || !ip.IsLoopback() {
			return pingEvery
		}
	}
	return pingLocalEvery
}

// dialTimeout bounds how long Dial waits for a NATS server that is not up yet.
const dialTimeout = 30 * time.Second

// Dial connects to NATS as the given instance of a stage or of a command, whose
// name is one NATS token, waiting up to 30 seconds for a server that is not there
// yet; files that do not read are an error at once. Once up, a Bus reconnects for
// ever by itself, to the next server in the order of the URL; what is in flight
// meanwhile is lost, and what is sent meanwhile fails at once. Extra options go to
// the client, e.g. nats.InProcessServer.
func Dial(ctx context.Context, c Config, instance subject.Instance, name string, log *slog.Logger, extra ...nats.Option) (*Bus, error) {
	space, err := subject.New(c.Prefix, c.Shards)
	if err != nil {
		return nil, err
	}
	var conns [3]*natsConn
	for i, role := range []string{"in", "out", "control"} {
		// Replies come back under the deployment's own subjects: who may hear all of
		// them, and only them, hears the whole conversation.
		options := append([]nats.Option{nats.CustomInboxPrefix(space.Replies(name))}, extra...)
		if conns[i], err = dial(ctx, c, fmt.Sprintf("%s %s %s", name, instance, role), log, options); err != nil {
			for _, c := range conns[:i] {
				c.Close()
			}
			return nil, err
		}
	}
	return New(space, instance, log, conns[0], conns[1], conns[2]), nil
}

// Connect connects as Dial does, and returns NATS's own client, for what a Bus does
// not know. Its replies do not come back under the deployment's subjects. The caller
// closes it.
func Connect(ctx context.Context, c Config, name string, log *slog.Logger) (*nats.Conn, error) {
	conn, err := dial(ctx, c, name, log, nil)
	if err != nil {
		return nil, err
	}
	return conn.nc, nil
}

type natsConn struct {
	nc         *nats.Conn
	reconnects atomic.Uint64
	refusals   refusals
	closing    atomic.Bool
	dead       chan error // receives once if the connection ends for good by itself
	mu         sync.Mutex
	subs       map[*nats.Subscription]bool
	dropped    uint64 // by subscriptions that are no more
}

func dial(ctx context.Context, c Config, name string, log *slog.Logger, extra []nats.Option) (*natsConn, error) {
	identity, err := c.identity()
	if err != nil {
		return nil, err
	}
	conn := &natsConn{dead: make(chan error, 1), subs: make(map[*nats.Subscription]bool)}
	opts := append([]nats.Option{
		nats.Name(name),
		nats.DontRandomize(), // the first is the nearest
		nats.SetCustomDialer(dialer{}),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(100 * time.Millisecond),
		nats.ReconnectJitter(50*time.Millisecond, 50*time.Millisecond),
		// What cannot be sent now is refused now: a buffer flushed after a reconnect
		// would reach listeners that are not back yet, and hide the loss.
		nats.ReconnectBufSize(-1),
		nats.PingInterval(pingsOf(c.URL)),
		nats.MaxPingsOutstanding(lostPings),
		// A write that blocks for longer takes the connection down, which is noticed
		// and survived; one that blocks for ever would stop the loop that publishes.
		nats.FlusherTimeout(2 * time.Second),
		// Accounts that a restarted server has not loaded yet are no reason to stay
		// away for good.
		nats.IgnoreAuthErrorAbort(),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("bus connection lost", "conn", name, "err", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) {
			conn.reconnects.Add(1)
			log.Info("bus connection is back", "conn", name)
		}),
		nats.ClosedHandler(func(nc *nats.Conn) {
			if !conn.closing.Load() {
				conn.dead <- fmt.Errorf("bus: connection %s is closed: %w", name, nc.LastError())
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			switch {
			case errors.Is(err, nats.ErrPermissionViolation):
				conn.refusals.note(log, name, err)
			case !errors.Is(err, nats.ErrSlowConsumer): // those are counted; see Dropped
				log.Error("bus", "conn", name, "err", err)
			}
		}),
	}, slices.Concat(identity, extra)...)
	deadline := time.Now().Add(dialTimeout)
	for first := true; ; first = false {
		nc, err := nats.Connect(c.URL, opts...)
		if err == nil {
			conn.nc = nc
			return conn, nil
		}
		if time.Now().After(deadline) {
			return nil, unreachable(c.URL, err)
		}
		if first {
			log.Info("waiting for the bus", "patience", dialTimeout, "err", unreachable(c.URL, err))
		}
		select {
		case <-ctx.Done():
			return nil, unreachable(c.URL, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// dialer connects with sockets that Go's scheduler is not told of.
type dialer struct{}

func (dialer) Dial(network, address string) (net.Conn, error) {
	conn, err := net.DialTimeout(network, address, nats.DefaultTimeout)
	if err != nil {
		return nil, err
	}
	return rawconn.Wrap(conn), nil
}

func (c *natsConn) Publish(subj, reply string, data []byte) error {
	if reply == "" {
		return inWords(c.nc.Publish(subj, data))
	}
	return inWords(c.nc.PublishRequest(subj, reply, data))
}

func (c *natsConn) Ask(subj, reply string, data []byte) (here bool, err error) {
	return false, c.Publish(subj, reply, data)
}

// inWords says of an error of the client what it means here, where nothing is
// kept for a connection that is down.
func inWords(err error) error {
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return ErrNobody
	case errors.Is(err, nats.ErrReconnectBufExceeded):
		return ErrDown
	}
	return err
}

func (c *natsConn) Subscribe(subj string, to chan *Message) (Subscription, error) {
	s, err := c.nc.ChanSubscribe(subj, to)
	if err != nil {
		return nil, err
	}
	// From here on the server knows of it: who is told of the subscription by other
	// ways can send at once.
	if err := c.nc.FlushTimeout(2 * time.Second); err != nil {
		s.Unsubscribe()
		return nil, err
	}
	// A refusal comes before the flush's answer.
	if err := c.nc.LastError(); forbidden(err, subj) {
		s.Unsubscribe()
		return nil, fmt.Errorf("%w: to listen on %s", ErrForbidden, subj)
	}
	c.mu.Lock()
	c.subs[s] = true
	c.mu.Unlock()
	return natsSub{c, s}, nil
}

type natsSub struct {
	c *natsConn
	s *nats.Subscription
}

func (s natsSub) Unsubscribe() error {
	s.c.mu.Lock()
	delete(s.c.subs, s.s)
	s.c.dropped += droppedOf(s.s)
	s.c.mu.Unlock()
	return s.s.Unsubscribe()
}

func droppedOf(s *nats.Subscription) uint64 {
	n, err := s.Dropped()
	if err != nil {
		return 0 // it ended with the connection
	}
	return uint64(n)
}

func (c *natsConn) Request(ctx context.Context, subj string, data []byte) (*Message, error) {
	m, err := c.nc.RequestWithContext(ctx, subj, data)
	return m, inWords(err)
}

func (c *natsConn) Dropped() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.dropped
	for s := range c.subs {
		n += droppedOf(s)
	}
	return n
}

func (c *natsConn) Reconnects() uint64 { return c.reconnects.Load() }

func (c *natsConn) Traffic() nats.Statistics { return c.nc.Stats() }

func (c *natsConn) Connected() bool { return c.nc.IsConnected() }

func (c *natsConn) Refused() uint64 { return c.refusals.count.Load() }

func (c *natsConn) Dead() <-chan error { return c.dead }

func (c *natsConn) Close() {
	c.closing.Store(true)
	if c.nc.IsConnected() {
		c.nc.FlushTimeout(2 * time.Second)
	}
	c.nc.Close()
}
