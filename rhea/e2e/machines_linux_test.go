package e2e

import (
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rhea/proto/subject"
)

// linkPatience is as long as NATS, or a bus, needs at most to find out that a link is
// dead; see docs/deploy/cluster/nats.conf and package bus.
const linkPatience = 4 * time.Second

// Three machines as docs/operations.md sets them up, under load at both gateways. One
// with a gateway and workers is cut off and comes back, the one with the writer as
// well, and a NATS server dies. Every EVENT and REQ has its answer, what was accepted
// is found, every subscription gets each event once: of clients that go to the other
// gateway when theirs is out of reach, and of clients that stay with theirs. Nothing
// that a stage does is forbidden, and the store is sound afterwards.
func TestThreeMachines(t *testing.T) {
	n := min(rounds(1), 5) // of twenty seconds
	if !isolated(t, time.Duration(n)*2*time.Minute, buildNATS, "ip", "openssl") {
		return
	}
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	began := time.Now()
	c := startCluster(t)
	seen := c.look(t, "nats-b", "nats-c", "nats-a")
	for _, st := range subject.Stages() {
		members(t, seen, st, c.count(st))
	}
	gateways := []string{"ws://10.77.0.1:7777/", "ws://10.77.0.2:7777/"}
	x := startTrialBy(t, func(i, n int) (*client, error) {
		if i/2%2 == 0 {
			return vigilant(gateways[(i+n)%2])
		}
		return connect(gateways[i%2])
	}, 4, 16)
	tell := func(what, who string) {
		t.Logf("%5.1f s: %s %s; %s", time.Since(began).Seconds(), what, who, x.tally())
	}
	for range n {
		x.until(200)
		tell("nothing is wrong", "")

		edge := []string{"a", "b"}[rng.IntN(2)]
		c.cut(edge)
		members(t, seen, subject.Gateway, 1)
		<-time.After(linkPatience) // now the vigilant have gone, and NATS has given it up as well
		x.until(200)
		tell("without", edge)
		c.mend(edge)
		members(t, seen, subject.Gateway, 2)
		x.until(200)
		tell("again with", edge)

		c.cut("c")
		members(t, seen, subject.Writer, 0)
		<-time.After(linkPatience)
		tell("without", "c")
		c.mend("c")
		members(t, seen, subject.Writer, 1)
		x.until(200)
		tell("again with", "c")

		node := []string{"a", "b", "c"}[rng.IntN(3)]
		c.machines[node].nats.kill()
		x.until(200)
		tell("without NATS on", node)
		c.startNATS(node)
		x.until(200)
		tell("again with NATS on", node)
	}
	x.finish()
	if v := c.stop(); len(v) > 0 {
		t.Errorf("%d times something was forbidden:\n%s", len(v), strings.Join(v[:min(len(v), 20)], ""))
	}
	check := exec.Command(filepath.Join(bin, "rhea"), "check", "--data", c.data)
	out, err := check.CombinedOutput()
	t.Logf("check: %s", out)
	if err != nil {
		t.Errorf("the store is not consistent: %v", err)
	}
}

// buildNATS builds the NATS server of the version that rhea embeds.
func buildNATS(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("go", "build", "-o", bin, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		t.Fatalf("the NATS server does not build: %v\n%s", err, out)
	}
}
