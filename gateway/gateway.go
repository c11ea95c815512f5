package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
	"unique"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
	"rhea/proto/subject"
)

// gateway is the shell around the core: the HTTP server, the bus, the clock.
type gateway struct {
	config   Config
	bus      *bus.Bus
	log      *slog.Logger
	metrics  *metrics
	hub      *hub
	net      network
	came     chan newcomer
	done     chan struct{} // closed when no newcomers are taken any more
	arriving sync.RWMutex  // read-held by whoever hands one over
	door     *door
	front    atomic.Pointer[front]

	landingPolicy string

	serving atomic.Bool   // connections are accepted
	pulse   *stage.Pulse  // of the loop
	counter atomic.Uint32 // connections so far
	plain   atomic.Int64  // TCP connections that are not WebSockets
}

// maxPlain bounds the connections that are not WebSockets (yet). More are closed
// as they come.
const maxPlain = 1024

// sendBuffer bounds what the kernel holds for a client. Left to itself it takes
// megabytes, which max_outbound would not count and a ping would wait behind.
const sendBuffer = 256 << 10

// Bounds of what the loop takes in before it sends what that has led to.
const (
	maxNewcomers = 256 // waiting in the channel
	maxRound     = 256 // newcomers and bus messages handled in one round
	// maxRoundFrames ends a round early: clients should not wait for the events of
	// others.
	maxRoundFrames = 4096
)

// Run serves clients until ctx ends. Then, while another gateway can take them, it
// sends them away over leave_over; what is left of them at the end, or all of them
// when there is no other, may ask nothing more, is answered within drain_timeout, and
// told to go (close code 1001). It returns an error when it cannot listen or cannot
// be part of the deployment.
func Run(ctx context.Context, cfg Config, env stage.Env) error {
	g, err := newGateway(cfg, env)
	if err != nil {
		return err
	}
	listener, err := listen(ctx, cfg.Listen, cfg.ReusePort)
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	r := bus.NewRoster(env.Bus, subject.Gateway, env.Version, g.metrics.member)
	g.pulse = env.Checks.Loop("loop")
	env.Checks.Ready("clients", g.ready)
	env.Checks.Ready("stages", func() error {
		// Without negentropy all but NEG-OPEN works.
		return r.View().Serving(subject.Ingester, subject.Reqworker, subject.Monitor)
	})
	asked := func() bool { return ctx.Err() != nil } // to stop; else something has failed
	return r.While(ctx, func(ctx context.Context) error { return g.run(ctx, asked, r, listener, env) })
}

func newGateway(cfg Config, env stage.Env) (*gateway, error) {
	g := &gateway{config: cfg, bus: env.Bus, log: env.Log, metrics: newMetrics(env.Metrics), door: newDoor(cfg.MaxConnections, cfg.MaxPerAddress),
		landingPolicy: landingPolicy()}
	f, err := newFront(&cfg, &env)
	if err != nil {
		return nil, err
	}
	g.front.Store(f)
	g.hub = newHub(g.metrics, env.Log, limitsOfSockets(&cfg, &env.Limits))
	g.hub.leave = g.door.leave
	g.came, g.done = make(chan newcomer, maxNewcomers), make(chan struct{})
	if cfg.Goroutines {
		g.net = newGoroutines()
		return g, nil
	}
	g.net, err = newNetwork()
	return g, err
}

// run owns every goroutine of the stage: the HTTP server's, the network's, and
// itself, the core's. It drains in this order: announce
// the leave; while there are other gateways, close the entrance behind who has come
// and send the clients away; then the rest of HTTP, of questions, of clients; say
// goodbye (While).
func (g *gateway) run(ctx context.Context, asked func() bool, r *bus.Roster, listener *entrance, env stage.Env) error {
	inbox := bus.Listen(g.bus, bus.Again[relaypb.OutInbox](), 0)
	if err := inbox.Add(g.bus.Space.Out(g.bus.Instance)); err != nil {
		_ = listener.Close() // nothing was served
		return err
	}
	defer inbox.Close()
	inbox.MeasureHops(env.Metrics.Hop("out"))
	env.Metrics.InboxWaiting(inbox.Waiting)
	env.Metrics.GaugeFunc("conns_limit", "Connections that there may be (max_connections).", func() float64 { return float64(g.door.limit()) })
	outbox := g.bus.NewOutbox()
	l := &loop{
		core: newCore(g.bus.Space, g.bus.Instance, g.rules(&env), outbox, g.hub, time.Now()),
		net:  g.net, came: g.came, inbox: inbox, outbox: outbox, roster: r, changes: r.Changes(),
		bus: g.bus, reconnects: g.bus.Reconnects(), pulse: g.pulse, reload: env.Reload,
	}
	l.apply = func(s stage.Settings) { g.reload(l.core, env, s) }
	defer g.pulse.End()
	server := &http.Server{
		Handler: g, ReadHeaderTimeout: headerTimeout, ReadTimeout: headerTimeout, WriteTimeout: 2 * headerTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes, ConnState: g.bound,
		ErrorLog: log.New(&serverLog{log: g.log}, "", 0),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	g.log.Info("listening", "address", "ws://"+listener.Addr().String())
	if g.config.Ready != nil {
		g.config.Ready(listener.Addr())
	}

	g.serving.Store(true)
	err := l.serve(ctx, served)
	g.serving.Store(false)
	r.Leave()
	if err == nil && asked() && l.successors() {
		server.SetKeepAlivesEnabled(false)
		if err := listener.Retire(); err != nil {
			g.log.Error("the listener does not retire", "err", err)
		}
		shut := func() bool { return len(served) > 0 }
		l.leave(l.core.config.StopTime(), shut, func() bool { return g.plain.Load() == 0 && g.door.inside() == 0 })
	}
	closed := make(chan struct{})
	go func() { // WebSockets are no longer the server's
		defer close(closed)
		shutdown(server, g.config.DrainTimeout)
	}()
	l.drain(g.config.DrainTimeout)
	g.end()
	<-closed
	return err
}

// ready says why clients had better connect to another gateway.
func (g *gateway) ready() error {
	if !g.serving.Load() {
		return errNotServing
	}
	return nil
}

// rules are what the core goes by, with a secret of this run.
func (g *gateway) rules(env *stage.Env) rules {
	r := rules{config: &g.config, limits: &env.Limits, policy: &env.Policy}
	_, _ = rand.Read(r.secret[:]) // it cannot fail
	return r
}

// shutdown stops accepting at once, and gives what is under way some patience.
func shutdown(server *http.Server, patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		_ = server.Close() // nothing is left to do about one that will not close
	}
}

// bound keeps the number of plain HTTP connections in bounds.
func (g *gateway) bound(c net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		if g.plain.Add(1) > maxPlain {
			_ = c.Close() // the server finds out
		}
	case http.StateHijacked, http.StateClosed:
		g.plain.Add(-1)
	}
}

// newcomer is a connection that has just become a WebSocket.
type newcomer struct {
	conn  *conn
	early []byte // what has come with the HTTP request
}

// serve hands a new connection to the core.
func (g *gateway) serve(nc net.Conn, id subject.ConnID, from netip.Addr, host string, early []byte, packs bool) {
	g.metrics.opened.Inc()
	if packs {
		g.metrics.packing.Inc()
	}
	if tcp, ok := nc.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // it works with any other size as well
	}
	w, err := g.net.attach(nc, id)
	if err != nil {
		g.log.Warn("a connection is lost", "err", err)
		_ = nc.Close()
		g.door.leave(householdOf(from))
		return
	}
	cn := &conn{id: id, shard: g.bus.Space.ShardOf(id), host: unique.Make(host), from: from, socket: socket{wire: w, packs: packs}}
	g.arriving.RLock()
	defer g.arriving.RUnlock()
	select {
	case <-g.done:
		w.close(true)
		g.door.leave(householdOf(from))
		return
	default:
	}
	select {
	case g.came <- newcomer{cn, early}:
	case <-g.done:
		w.close(true)
		g.door.leave(householdOf(from))
	}
}

// end turns away who comes too late, and ends the network.
func (g *gateway) end() {
	close(g.done)
	g.arriving.Lock() // nobody hands one over any more
	defer g.arriving.Unlock()
	for {
		select {
		case n := <-g.came:
			n.conn.wire.close(true)
			g.door.leave(householdOf(n.conn.from))
		default:
			g.net.close()
			return
		}
	}
}

var errNotServing = errors.New("no connections are accepted")

// errServer says that the HTTP server has ended by itself.
var errServer = errors.New("gateway: the HTTP server has ended")
