package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"rhea/proto/bus"
	"rhea/proto/subject"
)

// join starts one more process of a stage on a relay's bus.
func join(t *testing.T, r *relay, st subject.Stage) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "rhea-"+string(st)))
	cmd.Env = append(append(os.Environ(), r.env...), "RHEA_BUS_URL="+r.busURL())
	logs := &logBuffer{}
	cmd.Stderr = logs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
		if t.Failed() {
			t.Logf("log of the second %s:\n%s", st, logs.tail(5000))
		}
	})
	return cmd
}

// awaitOwners waits until the shards of a stage are spread over its n processes,
// each shard listened to.
func awaitOwners(t *testing.T, r *bus.Roster, b *bus.Bus, st subject.Stage, n int) {
	t.Helper()
	changes := r.Changes()
	members(t, r, st, n)
	for deadline := t.Context(); ; {
		counts := map[subject.Instance]int{}
		for sh := range b.Space.Shards() {
			counts[r.View().Owner(st, subject.Shard(sh))]++
		}
		if len(counts) == n && counts[0] == 0 {
			return
		}
		select {
		case <-changes:
		case <-deadline.Done():
			t.Fatalf("shards of %s: %v", st, counts)
		}
	}
}

// A second ingester, reqworker and monitor join under load, take their part of
// the shards, and leave again, and no client sees an error.
func TestScaleOutAndIn(t *testing.T) {
	r := start(t, "up", "", nil, big...)
	b, roster := onlooker(t, r.busURL())
	x := startTrial(t, r.url, 6, 16)
	x.until(300)
	for range rounds(2) {
		for _, st := range []subject.Stage{subject.Ingester, subject.Reqworker, subject.Monitor} {
			second := join(t, r, st)
			awaitOwners(t, roster, b, st, 2)
			x.until(200)
			second.Process.Signal(syscall.SIGTERM)
			if err := second.Wait(); err != nil {
				t.Errorf("the second %s ended with %v", st, err)
			}
			awaitOwners(t, roster, b, st, 1)
			x.until(200)
		}
	}
	x.finish()
	x.undisturbed()
}

// rss is the memory of all of a relay's processes, in bytes.
func rss(t *testing.T, r *relay, roster *bus.Roster) (total int64) {
	t.Helper()
	pids := map[int32]bool{int32(r.cmd.Process.Pid): true}
	for _, st := range subject.Stages() {
		for _, m := range roster.View().Members(st) {
			pids[m.Pid] = true
		}
	}
	for pid := range pids {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if err != nil {
			t.Fatal(err)
		}
		var size, resident int64
		fmt.Sscan(string(status), &size, &resident)
		total += resident * int64(os.Getpagesize())
	}
	return total
}
