package e2e

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"rhea/proto/bus"
	"rhea/proto/subject"
)

// kill -9 of one stage at a time, under load, many rounds: what was accepted is
// found afterwards; every EVENT gets its OK and every REQ its EOSE or CLOSED;
// every subscription whose connection lived got every match once; nobody but a
// gateway's clients loses a connection.
func TestKillStages(t *testing.T) {
	for _, st := range []subject.Stage{subject.Gateway, subject.Ingester, subject.Reqworker, subject.Monitor, subject.Writer} {
		t.Run(string(st), func(t *testing.T) {
			x, r := killRandomly(t, st, rounds(5), 300*time.Millisecond, 16)
			if st != subject.Gateway && x.lost > 0 {
				t.Errorf("%d clients lost their connection", x.lost)
			}
			checkStore(t, r)
		})
	}
}

// The writer killed at random moments, many times, with as much in flight as
// there can be: the store opens again, and its log and indexes agree.
func TestKillWriterAtRandomMoments(t *testing.T) {
	_, r := killRandomly(t, subject.Writer, rounds(20), 100*time.Millisecond, 256)
	checkStore(t, r)
}

// killRandomly kills the process of a stage n times, each time after some events
// were accepted and up to a random while more.
func killRandomly(t *testing.T, st subject.Stage, n int, while time.Duration, window int) (*trial, *relay) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	r := start(t, "up", "", nil, big...)
	_, roster := onlooker(t, r.busURL())
	x := startTrial(t, r.url, 4, window)
	for range n {
		x.until(1 + rng.IntN(200))
		time.Sleep(time.Duration(rng.Int64N(int64(while))))
		victim := members(t, roster, st, 1)[0]
		if err := syscall.Kill(int(victim.Pid), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		awaitGone(t, roster, subject.Instance(victim.Instance))
	}
	members(t, roster, st, 1)
	x.until(300)
	x.finish()
	return x, r
}

func awaitGone(t *testing.T, r *bus.Roster, i subject.Instance) {
	t.Helper()
	changes, late := r.Changes(), time.After(10*time.Second)
	for r.View().Alive(i) {
		select {
		case <-changes:
		case <-late:
			t.Fatal("a killed process is still on the roster")
		}
	}
}

// checkStore stops the relay and walks its store.
func checkStore(t *testing.T, r *relay) {
	t.Helper()
	r.stop()
	out, errs, err := r.rhea(nil, "check")
	t.Logf("check: %s%s", out, errs)
	if err != nil {
		t.Errorf("the store is not consistent: %v", err)
	}
}
