package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rhea/proto/subject"
)

// smallDisk mounts a file system of its own, of so many MiB.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", size)); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fillUp writes a file that leaves so many bytes free, and returns its name.
func fillUp(t *testing.T, dir string, leave int64) string {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "somebody-elses"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 64<<10); ; {
		var fs syscall.Statfs_t
		if err := syscall.Statfs(dir, &fs); err != nil {
			t.Fatal(err)
		}
		if int64(fs.Bavail)*fs.Bsize <= leave {
			return f.Name()
		}
		if _, err := f.Write(chunk); err != nil && !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		} else if err != nil {
			chunk = chunk[:max(1, len(chunk)/2)]
			if len(chunk) == 1 {
				return f.Name()
			}
		}
	}
}

// awaitRefusal waits until events are refused with a text that has one of the
// prefixes.
func (x *trial) awaitRefusal(prefixes ...string) {
	x.t.Helper()
	for late := time.Now().Add(patience); time.Now().Before(late); <-time.After(5 * time.Millisecond) {
		x.mu.Lock()
		for text := range x.refused {
			for _, p := range prefixes {
				if strings.HasPrefix(text, p) {
					x.mu.Unlock()
					return
				}
			}
		}
		x.mu.Unlock()
	}
	x.t.Fatalf("no event was refused with %q; refused: %v", prefixes, x.refused)
}

// A disk that really is full, under load: with a reserve, EVENTs are refused and
// say why while queries go on; with none the writer dies, EVENTs are refused as
// they are while there is none, and it comes back by itself. Either way what was
// accepted is found afterwards, and everything goes on when there is room.
func TestDiskIsFull(t *testing.T) {
	for _, c := range []struct {
		reserve string
		leave   int64
		want    []string
		dies    bool
	}{
		{"16MiB", 4 << 20, []string{"error: disk full"}, false},
		{"16MiB", 0, []string{"error: disk full"}, false},
		{"0", 0, []string{"error: "}, true},
	} {
		t.Run(fmt.Sprintf("reserve %s, %d left", c.reserve, c.leave), func(t *testing.T) {
			data := filepath.Join(smallDisk(t, 96), "data")
			r := start(t, "up", data, nil, append([]string{"RHEA_WRITER_DISK_RESERVE=" + c.reserve, "RHEA_WRITER_MEM_TABLE=4MiB"}, big...)...)
			x := startTrial(t, r.url, 2, 16)
			x.until(200)
			ballast := fillUp(t, filepath.Dir(data), c.leave)
			x.awaitRefusal(c.want...)
			if died := strings.Contains(r.logs.tail(4<<20), "no space left on device"); died != c.dies {
				t.Errorf("the writer died of it: %v", died)
			}
			if !c.dies { // a reader sees nothing of it
				if _, err := dial(t, r.url).query("full", `{"limit":10}`); err != nil {
					t.Errorf("a query on a full disk: %v", err)
				}
			}
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			x.until(300)
			x.finish()
			if x.lost > 0 {
				t.Errorf("%d clients lost their connection", x.lost)
			}
			checkStore(t, r)
		})
	}
}

// Every process in turn stands still for five seconds, as one does that swaps or is
// held by a debugger, and goes on as if nothing had been; the one with the bus in it
// as well. The others take it for dead meanwhile. No connection is lost, and nothing
// that was accepted.
func TestProcessesStandStill(t *testing.T) {
	r := start(t, "up", "", nil, big...)
	_, roster := onlooker(t, r.busURL())
	x := startTrial(t, r.url, 2, 16)
	pids := map[string]int{"bus": r.cmd.Process.Pid}
	for _, st := range subject.Stages() {
		pids[string(st)] = int(members(t, roster, st, 1)[0].Pid)
	}
	for name, pid := range pids {
		x.until(100)
		t.Log(name, "stands still")
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		<-time.After(5 * time.Second)
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		x.until(100)
	}
	x.finish()
	if x.lost > 0 {
		t.Errorf("%d clients lost their connection", x.lost)
	}
	for _, st := range subject.Stages() {
		if now := members(t, roster, st, 1)[0]; int(now.Pid) != pids[string(st)] {
			t.Errorf("the %s is another process now", st)
		}
	}
	checkStore(t, r)
}

// A gateway that may open few files serves those that it has let in; the others
// wait, and are let in when somebody goes.
func TestOutOfFiles(t *testing.T) {
	r := start(t, "solo", "", nil)
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	cmd := exec.Command("sh", "-c", `ulimit -n 64 && exec "$0"`, filepath.Join(bin, "rhea-gateway"))
	cmd.Env = append(os.Environ(), "RHEA_BUS_URL="+r.busURL(), "RHEA_GATEWAY_LISTEN="+listen)
	gateway := startProcess(t, "gateway", cmd)
	_, roster := onlooker(t, r.busURL())
	members(t, roster, subject.Gateway, 2)

	url := "ws://" + listen + "/"
	var inside []*client
	for len(inside) < 1000 {
		c, err := connectWithin(time.Second, net.Dialer{}, url)
		if err != nil {
			break
		}
		inside = append(inside, c)
	}
	defer func() {
		for _, c := range inside {
			c.close()
		}
	}()
	if len(inside) < 20 || len(inside) > 64 {
		t.Fatalf("%d connections with 64 files", len(inside))
	}
	for i, c := range inside {
		if _, err := c.query("a", `{"limit":1}`); err != nil {
			t.Fatalf("connection %d of %d: %v", i, len(inside), err)
		}
	}
	if !strings.Contains(gateway.logs.tail(4<<20), "too many open files") {
		t.Error("the gateway does not say that it has no more files")
	}
	for _, c := range inside[:10] {
		c.close()
	}
	inside = inside[10:]
	c, err := connectWithin(patience, net.Dialer{}, url)
	if err != nil {
		t.Fatalf("after ten have gone: %v", err)
	}
	inside = append(inside, c)
	if _, err := c.query("a", `{"limit":1}`); err != nil {
		t.Error(err)
	}
}

// A store with a damaged file is not served: the writer names the file and ends, and
// changes nothing.
func TestDamagedStore(t *testing.T) {
	r := start(t, "solo", "", nil)
	x := startLoad(t, r.url, 1, 16)
	x.until(50)
	x.stop()
	r.stop()
	manifests, err := filepath.Glob(filepath.Join(r.data, "store", "MANIFEST-*"))
	if err != nil || len(manifests) == 0 {
		t.Fatalf("no manifest: %v", err)
	}
	last := manifests[len(manifests)-1]
	damaged := []byte(strings.Repeat("not a manifest ", 50))
	if err := os.WriteFile(last, damaged, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"solo", "up"} {
		_, err = launch(t, mode, r.data, nil)
		if err == nil || !strings.Contains(err.Error(), filepath.Join(r.data, "store")) {
			t.Errorf("rhea %s on a damaged store: %v", mode, err)
		}
	}
	if _, _, err := r.rhea(io.LimitReader(nil, 0), "check"); err == nil {
		t.Error("rhea check finds nothing")
	}
	if after, err := os.ReadFile(last); err != nil || string(after) != string(damaged) {
		t.Errorf("the damaged file was changed: %v", err)
	}
}
