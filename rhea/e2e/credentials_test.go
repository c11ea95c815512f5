package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"rhea/proto/bus"
	"rhea/proto/subject"
)

// clusterFiles is where the files for several machines are.
const clusterFiles = "../../docs/deploy/cluster"

// secureNATS is one NATS server under the files for several machines, on loopback
// and without the other two: localhost stands for its name.
type secureNATS struct {
	dir    string // of its files and certificates
	port   int
	routes string // host:port
	server *server.Server

	mu     sync.Mutex
	errors []string // that the server has logged
}

// startSecureNATS skips the test where there is no openssl.
func startSecureNATS(t *testing.T) *secureNATS {
	t.Helper()
	s := &secureNATS{dir: t.TempDir()}
	makeCertificates(t, s.dir, "localhost")
	for _, name := range []string{"nats.conf", "permissions.conf"} {
		copyFile(t, filepath.Join(clusterFiles, name), filepath.Join(s.dir, name))
	}
	s.serve(t, server.RANDOM_PORT)
	return s
}

// serve runs the server until the test ends or it is stopped.
func (s *secureNATS) serve(t *testing.T, port int) {
	t.Helper()
	back, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(s.dir) // the files' paths are relative
	defer t.Chdir(back)
	t.Setenv("NATS_NAME", "localhost")
	t.Setenv("NATS_CERT", "certs/localhost.crt")
	t.Setenv("NATS_KEY", "certs/localhost.key")
	opts, err := server.ProcessConfigFile("nats.conf")
	if err != nil {
		t.Fatal(err)
	}
	opts.Host, opts.Port, opts.HTTPPort, opts.NoSigs = "127.0.0.1", port, 0, true
	opts.Cluster.Host, opts.Cluster.Port, opts.Routes = "127.0.0.1", server.RANDOM_PORT, server.RoutesFromStr("tls://localhost:1")
	if s.server, err = server.NewServer(opts); err != nil {
		t.Fatal(err)
	}
	s.server.SetLoggerV2(s, false, false, false)
	s.server.Start()
	t.Cleanup(s.stop)
	if !s.server.ReadyForConnections(10 * time.Second) {
		t.Fatal("NATS does not start")
	}
	s.port, s.routes = s.server.Addr().(*net.TCPAddr).Port, s.server.ClusterAddr().String()
}

func (s *secureNATS) stop() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
}

func (s *secureNATS) restart(t *testing.T) {
	t.Helper()
	s.stop()
	s.serve(t, s.port)
}

// makeCertificates makes dir/certs with the script that operators run.
func makeCertificates(t *testing.T, dir string, servers ...string) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	script := filepath.Join(clusterFiles, "make-certs.sh")
	if out, err := exec.Command(script, append([]string{filepath.Join(dir, "certs")}, servers...)...).CombinedOutput(); err != nil {
		t.Fatalf("make-certs.sh: %v\n%s", err, out)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *secureNATS) url() string { return fmt.Sprintf("tls://localhost:%d", s.port) }

// env are the settings by which a role joins.
func (s *secureNATS) env(role string) []string {
	certs := filepath.Join(s.dir, "certs")
	return []string{
		"RHEA_BUS_URL=" + s.url(), "RHEA_BUS_CA=" + filepath.Join(certs, "ca.crt"),
		"RHEA_BUS_CERT=" + filepath.Join(certs, role+".crt"), "RHEA_BUS_KEY=" + filepath.Join(certs, role+".key"),
	}
}

// config is env for a bus of the test's own.
func (s *secureNATS) config(role string) bus.Config {
	c, certs := bus.DefaultConfig(), filepath.Join(s.dir, "certs")
	c.URL, c.CA = s.url(), filepath.Join(certs, "ca.crt")
	c.Cert, c.Key = filepath.Join(certs, role+".crt"), filepath.Join(certs, role+".key")
	return c
}

// Errorf and its like make it the server's logger.
func (s *secureNATS) Errorf(format string, v ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errors = append(s.errors, fmt.Sprintf(format, v...))
}

func (s *secureNATS) Fatalf(format string, v ...any) { s.Errorf(format, v...) }
func (s *secureNATS) Warnf(string, ...any)           {}
func (s *secureNATS) Noticef(string, ...any)         {}
func (s *secureNATS) Debugf(string, ...any)          {}
func (s *secureNATS) Tracef(string, ...any)          {}

// complaints are the errors that name one of the words.
func (s *secureNATS) complaints(words ...string) (found []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.errors {
		for _, w := range words {
			if strings.Contains(e, w) {
				found = append(found, e)
				break
			}
		}
	}
	return found
}

// make-certs.sh keeps what is there, makes what is missing, and lets nobody else read
// a key.
func TestMakeCertsKeepsWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	makeCertificates(t, dir, "nats-a")
	read := func() map[string]string {
		files := map[string]string{}
		entries, err := os.ReadDir(filepath.Join(dir, "certs"))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			text, err := os.ReadFile(filepath.Join(dir, "certs", e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			info, err := e.Info()
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(e.Name(), ".key") && info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %o", e.Name(), info.Mode().Perm())
			}
			files[e.Name()] = string(text)
		}
		return files
	}
	before := read()
	if want := 2 * (1 + 1 + len(subject.Roles())); len(before) != want {
		t.Fatalf("%d files, want %d", len(before), want)
	}
	if err := os.Remove(filepath.Join(dir, "certs", "gateway.crt")); err != nil {
		t.Fatal(err)
	}
	makeCertificates(t, dir, "nats-a", "nats-d")
	after := read()
	if after["nats-d.crt"] == "" || after["gateway.crt"] == "" || after["gateway.crt"] == before["gateway.crt"] {
		t.Error("what was missing has not been made")
	}
	for name, text := range before {
		if name != "gateway.crt" && after[name] != text {
			t.Errorf("%s has changed", name)
		}
	}
}
