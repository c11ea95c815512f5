package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"rhea/proto/subject"
)

// natsServer runs a NATS server in the test on a port that stays the same.
func natsServer(t *testing.T, port int) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("NATS does not start")
	}
	return s
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// The stages started one by one around somebody else's NATS, as compose and a
// cluster do; and that NATS restarted under load: clients keep their connections
// and nothing accepted is lost.
func TestBusRestarts(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	port, listen := freePort(t), fmt.Sprintf("127.0.0.1:%d", freePort(t))
	nats := natsServer(t, port)
	busURL := fmt.Sprintf("nats://127.0.0.1:%d", port)
	data := t.TempDir()
	t.Cleanup(func() { nats.Shutdown() })
	for _, st := range subject.Stages() {
		startStage(t, st, append([]string{"RHEA_BUS_URL=" + busURL, "RHEA_WRITER_DIR=" + data, "RHEA_GATEWAY_LISTEN=" + listen}, big...)...)
	}
	_, roster := onlooker(t, busURL)
	for _, st := range subject.Stages() {
		members(t, roster, st, 1)
	}
	x := startTrial(t, "ws://"+listen+"/", 4, 16)
	for range rounds(3) {
		x.until(100 + rng.IntN(200))
		nats.Shutdown()
		nats.WaitForShutdown()
		time.Sleep(time.Duration(rng.IntN(1000)) * time.Millisecond)
		nats = natsServer(t, port)
	}
	x.until(300)
	x.finish()
	if x.lost > 0 {
		t.Errorf("%d clients lost their connection", x.lost)
	}
}
