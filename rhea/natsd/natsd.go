// Package natsd runs a NATS server inside the process that starts a relay, so
// that `rhea up` and `rhea solo` need nothing installed.
//
// The server carries core NATS only: no JetStream, no cluster, no monitoring
// port. It listens on loopback under a password drawn at each start, because
// every user of a machine can reach its loopback; whoever may read the relay's
// data directory finds the URL there. The package knows nothing of Rhea's
// subjects.
package natsd

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// MaxPayload is the largest message in bytes, NATS's own default; the bound in
// package bus lies under it.
const MaxPayload = 1 << 20

// startTimeout bounds how long the server may take to accept connections, which
// it does at once unless the machine is overwhelmed.
const startTimeout = 10 * time.Second

const user = "rhea"

// Server is a running server.
type Server struct {
	inner    *server.Server
	password string
	door     *door
}

// Start listens on addr, host:port, where port 0 picks a free one, and returns
// when clients can connect. It fails when the address is taken or is none.
func Start(addr string, log *slog.Logger) (*Server, error) {
	_, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("the bus cannot listen on %q: want host:port", addr)
	}
	if _, err := strconv.ParseUint(portText, 10, 16); err != nil {
		return nil, fmt.Errorf("the bus cannot listen on %q: %q is not a port", addr, portText)
	}
	s := &Server{password: rand.Text()}
	s.inner, err = server.NewServer(&server.Options{
		ServerName: "rhea", DontListen: true, NoSigs: true, NoSystemAccount: true,
		CustomClientAuthentication: s, MaxPayload: MaxPayload,
	})
	if err != nil {
		return nil, fmt.Errorf("the bus: %w", err)
	}
	s.inner.SetLoggerV2(logger{log}, false, false, false)
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("the bus: %w", err)
	}
	s.inner.Start()
	if !s.inner.ReadyForConnections(startTimeout) {
		s.inner.Shutdown()
		s.inner.WaitForShutdown()
		_ = listener.Close()
		return nil, errors.New("the bus: the NATS server does not start")
	}
	s.door = open(listener, s.inner, log)
	return s, nil
}

// URL is where clients connect, with user and password.
func (s *Server) URL() string {
	u := url.URL{Scheme: "nats", User: url.UserPassword(user, s.password), Host: s.door.listener.Addr().String()}
	return u.String()
}

// Check lets in who knows the password; the server calls it for each client. It
// stands in for NATS's own user and password, which warns of plain text and costs
// a bcrypt otherwise.
func (s *Server) Check(c server.ClientAuthentication) bool {
	return subtle.ConstantTimeCompare([]byte(c.GetOpts().Password), []byte(s.password)) == 1
}

// InProcessConn returns a connection that passes no socket; the method makes a
// Server what nats.InProcessServer wants.
func (s *Server) InProcessConn() (net.Conn, error) { return s.inner.InProcessConn() }

// NumClients counts the connections, those in this process too.
func (s *Server) NumClients() int { return s.inner.NumClients() }

// Listeners counts the connections that listen on a subject, up to 1,024.
func (s *Server) Listeners(subj string) (n int) {
	z, err := s.inner.Connz(&server.ConnzOptions{Subscriptions: true})
	if err != nil {
		return 0 // of a server that stops
	}
	for _, c := range z.Conns {
		if slices.ContainsFunc(c.Subs, func(filter string) bool { return server.SubjectMatchesFilter(subj, filter) }) {
			n++
		}
	}
	return n
}

// Received counts the messages that clients have published.
func (s *Server) Received() uint64 {
	v, err := s.inner.Varz(nil)
	if err != nil {
		return 0
	}
	return uint64(v.InMsgs)
}

// Stop ends the server and every connection to it, and returns when its
// goroutines are gone.
func (s *Server) Stop() {
	s.inner.Shutdown()
	s.inner.WaitForShutdown()
	s.door.close()
}

// logger hands on what NATS has to say. Its notices are of interest only to
// those who debug it.
type logger struct{ to *slog.Logger }

func (l logger) Noticef(format string, v ...any) { l.to.Debug("nats: " + fmt.Sprintf(format, v...)) }
func (l logger) Warnf(format string, v ...any)   { l.to.Warn("nats: " + fmt.Sprintf(format, v...)) }
func (l logger) Errorf(format string, v ...any)  { l.to.Error("nats: " + fmt.Sprintf(format, v...)) }
func (l logger) Fatalf(format string, v ...any)  { l.to.Error("nats: " + fmt.Sprintf(format, v...)) }
func (l logger) Debugf(string, ...any)           {}
func (l logger) Tracef(string, ...any)           {}
