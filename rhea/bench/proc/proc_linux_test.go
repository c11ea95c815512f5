package proc

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// A process that computes is seen to, and one that waits is not.
func TestOwnUsage(t *testing.T) {
	pids, err := Tree(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	before := Read(pids)
	begin := time.Now()
	for time.Since(begin) < 50*time.Millisecond {
	}
	spent := Read(pids).Since(before).Total()
	// Other work of the machine may have had the processor most of the time.
	if spent.CPU < time.Millisecond || spent.CPU > 10*time.Second {
		t.Errorf("50 ms of computing are %s", spent.CPU)
	}
	// The two are read one after the other, and the process may have grown in between.
	if m := MemoryOf(pids).Total(); m.PSS <= 0 || m.RSS < m.PSS-1<<20 {
		t.Errorf("memory is %+v", m)
	}
}

func TestChildren(t *testing.T) {
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Skip(err)
	}
	pids, err := Tree(os.Getpid())
	if err != nil || !slices.Contains(pids, child.Process.Pid) {
		t.Errorf("%v without the child %d: %v", pids, child.Process.Pid, err)
	}
	if _, known := Read(pids)["sleep"]; !known {
		t.Errorf("the child is not called by its name: %v", Read(pids))
	}
	child.Process.Kill()
	child.Wait()
	if _, err := Tree(child.Process.Pid); err == nil {
		t.Error("a process that has ended is there")
	}
	if u := Read([]int{child.Process.Pid}); len(u) != 0 {
		t.Errorf("a process that has ended has used %v", u)
	}
}

func TestSince(t *testing.T) {
	before := Usages{"a": {CPU: 5, Wakeups: 2}, "gone": {CPU: 9}}
	got := Usages{"a": {CPU: 8, Wakeups: 3}, "new": {CPU: 2}}.Since(before)
	if len(got) != 2 || got["a"] != (Usage{3, 1}) || got["new"] != (Usage{CPU: 2}) || got.Total() != (Usage{5, 1}) {
		t.Errorf("got %v", got)
	}
}

func TestDiskOf(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), make([]byte, 10_000), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := DiskOf(dir); err != nil || n < 8192 || n > 1<<20 {
		t.Errorf("10,000 bytes take %d: %v", n, err)
	}
	if _, err := DiskOf(filepath.Join(dir, "none")); err != nil {
		t.Error(err)
	}
}
