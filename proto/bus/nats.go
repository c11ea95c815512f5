package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"rhea/proto/subject"
)

// Config says where the bus is; section [bus] of the configuration.
type Config struct {
	URL         string `toml:"url" help:"NATS servers, comma separated"`
	Prefix      string `toml:"prefix" help:"first token of every subject; deployments that share a NATS differ in it"`
	Shards      int    `toml:"shards" help:"number of shards, a power of two; the same in every process, for good"`
	Credentials string `toml:"credentials" help:"NATS credentials file"`
	CA          string `toml:"ca" help:"certificate authority of the NATS servers (PEM file)"`
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
	_, err := subject.New(c.Prefix, c.Shards)
	return err
}

// dialTimeout bounds how long Dial waits for a NATS server that is not up yet.
const dialTimeout = 30 * time.Second

// Dial connects to NATS as the given instance of a stage, waiting up to 30 seconds for a server
// that is not there yet. Once up, a Bus reconnects for ever by itself; what is in
// flight meanwhile is lost, and what is sent meanwhile fails at once. Extra
// options go to the client, e.g. nats.InProcessServer.
func Dial(ctx context.Context, c Config, instance subject.Instance, name string, log *slog.Logger, extra ...nats.Option) (*Bus, error) {
	space, err := subject.New(c.Prefix, c.Shards)
	if err != nil {
		return nil, err
	}
	var conns [3]*natsConn
	for i, role := range []string{"in", "out", "control"} {
		if conns[i], err = dial(ctx, c, fmt.Sprintf("%s %s %s", name, instance, role), log, extra); err != nil {
			for _, c := range conns[:i] {
				c.nc.Close()
			}
			return nil, err
		}
	}
	return New(space, instance, log, conns[0], conns[1], conns[2]), nil
}

type natsConn struct {
	nc      *nats.Conn
	dropped atomic.Uint64
}

func dial(ctx context.Context, c Config, name string, log *slog.Logger, extra []nats.Option) (*natsConn, error) {
	conn := &natsConn{}
	opts := append([]nats.Option{
		nats.Name(name),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(100 * time.Millisecond),
		nats.ReconnectJitter(50*time.Millisecond, 50*time.Millisecond),
		// What cannot be sent now is refused now: a buffer flushed after a reconnect
		// would reach listeners that are not back yet, and hide the loss.
		nats.ReconnectBufSize(-1),
		nats.PingInterval(2 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.FlusherTimeout(10 * time.Second),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("bus connection lost", "conn", name, "err", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { log.Info("bus connection is back", "conn", name) }),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrSlowConsumer) {
				conn.dropped.Add(1)
				return
			}
			log.Error("bus", "conn", name, "err", err)
		}),
	}, extra...)
	if c.Credentials != "" {
		opts = append(opts, nats.UserCredentials(c.Credentials))
	}
	if c.CA != "" {
		opts = append(opts, nats.RootCAs(c.CA))
	}
	deadline := time.Now().Add(dialTimeout)
	for {
		nc, err := nats.Connect(c.URL, opts...)
		if err == nil {
			conn.nc = nc
			return conn, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("bus: no NATS server at %s: %w", c.URL, err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("bus: no NATS server at %s: %w", c.URL, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (c *natsConn) Publish(subj, reply string, data []byte) error {
	if reply == "" {
		return c.nc.Publish(subj, data)
	}
	return c.nc.PublishRequest(subj, reply, data)
}

func (c *natsConn) Subscribe(subj string, to chan *Message) (Subscription, error) {
	s, err := c.nc.ChanSubscribe(subj, to)
	if err != nil {
		return nil, err
	}
	// From here on the server knows of it: who is told of the subscription by other
	// ways can send at once.
	if err := c.nc.FlushTimeout(5 * time.Second); err != nil {
		s.Unsubscribe()
		return nil, err
	}
	return s, nil
}

func (c *natsConn) Request(ctx context.Context, subj string, data []byte) (*Message, error) {
	m, err := c.nc.RequestWithContext(ctx, subj, data)
	if errors.Is(err, nats.ErrNoResponders) {
		return nil, ErrNobody
	}
	return m, err
}

func (c *natsConn) Dropped() uint64 { return c.dropped.Load() }

func (c *natsConn) Close() {
	if c.nc.IsConnected() {
		c.nc.FlushTimeout(2 * time.Second)
	}
	c.nc.Close()
}
