package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/subject"
)

// spoken says who may say and who may hear what on the bus, subject by subject: the
// same as the files for several machines say role by role.
var spoken = map[string]struct{ says, hears string }{
	"rhea.v1.ingest.3":          {"gateway importer", "ingester operator"},
	"rhea.v1.req.3":             {"gateway", "reqworker operator"},
	"rhea.v1.sub.3":             {"gateway", "monitor operator"},
	"rhea.v1.neg.3":             {"gateway", "negentropy operator"},
	"rhea.v1.write":             {"ingester", "writer operator"},
	"rhea.v1.scan":              {"reqworker negentropy operator", "writer operator"},
	"rhea.v1.log":               {"writer", "monitor negentropy operator"},
	"rhea.v1.log.fetch":         {"monitor negentropy operator", "writer operator"},
	"rhea.v1.out.0000000a":      {"ingester writer reqworker monitor negentropy", "gateway importer operator"},
	"rhea.v1.hello":             {"gateway ingester writer reqworker monitor negentropy operator importer", "gateway ingester writer reqworker monitor negentropy operator"},
	"rhea.v1.member.gateway":    {"gateway", "gateway ingester writer reqworker monitor negentropy operator importer"},
	"rhea.v1.member.writer":     {"writer", "gateway ingester writer reqworker monitor negentropy operator importer"},
	"rhea.v1.reply.monitor.x.y": {"writer", "monitor operator"},
	"rhea.v1.reply.scan.x.y":    {"writer", "operator"},
	"rhea.v1.elsewhere":         {"", "operator"},
	"rhea.v1.>":                 {"", "operator"},
	">":                         {"", ""},
	"other.v1.write":            {"", ""},
	"$SYS.REQ.SERVER.PING":      {"", ""},
}

// Each credential is good for its role's subjects and for no others.
func TestPermissionsForbid(t *testing.T) {
	s := startSecureNATS(t)
	for _, role := range subject.Roles() {
		nc := s.connect(t, role)
		for subj, who := range spoken {
			if !strings.HasSuffix(subj, ">") {
				want := slices.Contains(strings.Fields(who.says), role)
				if got := permitted(t, nc, "Publish", subj, nc.Publish(subj, nil)); got != want {
					t.Errorf("%s says %s: permitted %v, want %v", role, subj, got, want)
				}
			}
			want := slices.Contains(strings.Fields(who.hears), role)
			_, err := nc.SubscribeSync(subj)
			if got := permitted(t, nc, "Subscription", subj, err); got != want {
				t.Errorf("%s hears %s: permitted %v, want %v", role, subj, got, want)
			}
		}
	}
}

// connect joins as a role, without the rest of a bus.
func (s *secureNATS) connect(t *testing.T, role string) *nats.Conn {
	t.Helper()
	c := s.config(role)
	nc, err := nats.Connect(c.URL, nats.RootCAs(c.CA), nats.ClientCert(c.Cert, c.Key), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatalf("%s: %v", role, err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// permitted says whether the server let an operation on a subject pass.
func permitted(t *testing.T, nc *nats.Conn, operation, subj string, err error) bool {
	t.Helper()
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatalf("%s to %s: %v", operation, subj, err)
	}
	last := nc.LastError()
	return last == nil || !strings.Contains(last.Error(), fmt.Sprintf("%s to %q", operation, subj))
}

// Who has no certificate, a server's, or one of another authority, is not let in.
func TestStrangersStayOutside(t *testing.T) {
	s := startSecureNATS(t)
	foreign := t.TempDir()
	makeCertificates(t, foreign, "localhost")
	good := s.config("gateway")
	for who, change := range map[string]func(c *bus.Config){
		"nobody":                   func(c *bus.Config) { c.Cert, c.Key = "", "" },
		"a server":                 func(c *bus.Config) { *c = s.config("localhost") },
		"another authority's":      func(c *bus.Config) { c.Cert, c.Key = foreign+"/certs/gateway.crt", foreign+"/certs/gateway.key" },
		"who knows not the server": func(c *bus.Config) { c.CA = foreign + "/certs/ca.crt" },
	} {
		c := good
		change(&c)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		b, err := bus.Dial(ctx, c, bus.NewInstance(), "stranger", slog.New(slog.DiscardHandler))
		cancel()
		if err == nil {
			b.Close()
			t.Errorf("%s is let in", who)
			continue
		}
		t.Logf("%s: %v", who, err)
	}
	b, err := bus.Dial(t.Context(), good, bus.NewInstance(), "gateway", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
}

// What NATS does not permit is counted, and told where it can be: listening fails.
func TestForbiddenIsTold(t *testing.T) {
	s := startSecureNATS(t)
	logs := &logBuffer{}
	b, err := bus.Dial(t.Context(), s.config("gateway"), bus.NewInstance(), "gateway", slog.New(slog.NewTextHandler(logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Publish(b.Space.Write(), &relaypb.WriteInbox{}); err != nil {
		t.Fatal(err)
	}
	inbox := bus.Listen(b, func() *relaypb.OutInbox { return new(relaypb.OutInbox) }, 0)
	if err := inbox.Add(b.Space.Out(b.Instance)); err != nil {
		t.Errorf("a gateway cannot hear its answers: %v", err)
	}
	if err := inbox.Add(b.Space.Write()); !errors.Is(err, bus.ErrForbidden) {
		t.Errorf("a gateway listens as the writer: %v", err)
	}
	await(t, "two refusals", func() bool { return b.Refused() == 2 })
	if text := logs.tail(4000); !strings.Contains(text, "rhea.v1.write") {
		t.Errorf("the log does not say what was refused: %q", text)
	}
}

// A stage with another's certificate ends, and says why.
func TestStageWithAnothersCertificate(t *testing.T) {
	s := startSecureNATS(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "rhea-ingester"))
	cmd.Env = append(os.Environ(), s.env("gateway")...)
	out, err := cmd.CombinedOutput()
	if ended, ok := errors.AsType[*exec.ExitError](err); !ok || ended.ExitCode() != 1 || !strings.Contains(string(out), "does not permit this process: to announce itself as ingester") {
		t.Errorf("an ingester with a gateway's certificate: %v\n%s", err, out)
	}
}

// A certificate is read again at each connect: one that was renewed takes effect, and
// one that became unreadable does not end a process that is connected.
func TestCertificateIsRenewed(t *testing.T) {
	s := startSecureNATS(t)
	c, own := s.config("gateway"), t.TempDir()
	for _, name := range []string{"gateway.crt", "gateway.key"} {
		copyFile(t, filepath.Join(s.dir, "certs", name), filepath.Join(own, name))
	}
	c.Cert, c.Key = filepath.Join(own, "gateway.crt"), filepath.Join(own, "gateway.key")
	b, err := bus.Dial(t.Context(), c, bus.NewInstance(), "gateway", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, name := range []string{"crt", "key"} { // now it is an operator's, who may hear everything
		copyFile(t, filepath.Join(s.dir, "certs", "operator."+name), filepath.Join(own, "gateway."+name))
	}
	inbox := bus.Listen(b, func() *relaypb.WriteInbox { return new(relaypb.WriteInbox) }, 0)
	if err := inbox.Add(b.Space.Write()); !errors.Is(err, bus.ErrForbidden) {
		t.Fatalf("before it connects again: %v", err)
	}
	s.restart(t)
	await(t, "three connections that came back", func() bool { return b.Reconnects() == 3 })
	if err := inbox.Add(b.Space.Write()); err != nil {
		t.Errorf("with the new certificate: %v", err)
	}
}

// A stage's certificate does not make a NATS server: through a route anything could be
// said.
func TestStageIsNoServer(t *testing.T) {
	s := startSecureNATS(t)
	for _, c := range []struct {
		name string
		may  bool
	}{{"gateway", false}, {"operator", false}, {"localhost", true}} {
		before := len(s.complaints("Authentication", "authentication"))
		peer := s.peer(t, c.name)
		await(t, c.name+": an answer to the route", func() bool {
			// What is said late of the one before is no answer to one that may.
			return s.server.NumRoutes() > 0 || !c.may && len(s.complaints("Authentication", "authentication")) > before
		})
		// The peer may take itself for a part of the cluster until it is sent away.
		if got := s.server.NumRoutes() > 0; got != c.may {
			t.Errorf("with the certificate of %s a server joins: %v, want %v", c.name, got, c.may)
		}
		peer.Shutdown()
	}
}

// peer is a server that wants a route to s, with a certificate.
func (s *secureNATS) peer(t *testing.T, name string) *server.Server {
	t.Helper()
	c := s.config(name)
	cert, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(c.CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	_, port, _ := strings.Cut(s.routes, ":")
	peer, err := server.NewServer(&server.Options{
		ServerName: "peer-" + name, Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		Routes: server.RoutesFromStr("tls://localhost:" + port),
		Cluster: server.ClusterOpts{
			Name: "rhea", Host: "127.0.0.1", Port: server.RANDOM_PORT, TLSTimeout: 5,
			TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	peer.Start()
	t.Cleanup(peer.Shutdown)
	return peer
}

// await waits until something holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for late := time.Now().Add(10 * time.Second); !holds(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}
