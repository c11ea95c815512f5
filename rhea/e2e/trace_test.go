package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"rhea/proto/nostr/nostrtest"
)

// tracer is a running `rhea trace`.
type tracer struct {
	cmd  *exec.Cmd
	said *logBuffer
	done chan struct{}
}

// trace starts following and returns when it does.
func (r *relay) trace(what string, args ...string) *tracer {
	r.t.Helper()
	c := &tracer{said: &logBuffer{}, done: make(chan struct{})}
	c.cmd = exec.Command(filepath.Join(bin, "rhea"), append([]string{"trace", "--data", r.data, what}, args...)...)
	c.cmd.Stdout, c.cmd.Stderr = c.said, c.said
	if err := c.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	go func() {
		c.cmd.Wait()
		close(c.done)
	}()
	r.t.Cleanup(func() {
		c.cmd.Process.Kill()
		<-c.done
	})
	c.await(r.t, "interrupt ends it")
	return c
}

// await waits until the tracer has said something.
func (c *tracer) await(t testing.TB, what string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !strings.Contains(c.said.tail(100_000), what) {
		select {
		case <-c.done:
			if !strings.Contains(c.said.tail(100_000), what) {
				t.Fatalf("it ended without %q:\n%s", what, c.said.tail(100_000))
			}
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q is not among\n%s", what, c.said.tail(100_000))
		}
	}
}

// An event's story is told from its frame to its deliveries, and ends by itself.
func TestTraceEvent(t *testing.T) {
	r := start(t, "up", "", nil)
	id := fmt.Sprintf("%x", nostrtest.Events(t)[0].ID[:])
	whole, begin := r.trace(id), r.trace(id[:12])
	converse(t, r.url, "traced", 0)
	for _, c := range []*tracer{whole, begin} {
		select {
		case <-c.done:
		case <-time.After(patience):
			t.Fatalf("the story does not end:\n%s", c.said.tail(100_000))
		}
		text := c.said.tail(100_000)
		t.Logf("\n%s", text)
		if code := c.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("code %d", code)
		}
		inOrder(t, text, "→ ingester ", " EventFrame ", "→ writer ", " Admitted ", "→ followers ", " Entries ", "outcome=NEW",
			"EVENT to OK", "NEW", "ingester: queue and checks", "writer: queue, decision, disk", "DUPLICATE", "to 1 subscription of 1 gateway, ")
		inOrder(t, text, "monitor ", " Deliveries ")
	}
	again := exec.Command(filepath.Join(bin, "rhea"), "trace", "--data", r.data, "--timeout", "300ms", id)
	text, err := again.CombinedOutput()
	if err == nil || again.ProcessState.ExitCode() != 1 || !strings.Contains(string(text), "is stored already") || !strings.Contains(string(text), "nothing was seen of it within 300ms") {
		t.Errorf("%v\n%s", err, text)
	}
}

// A connection's story is what is asked on it and every answer, and no other's.
func TestTraceConnection(t *testing.T) {
	r := start(t, "solo", "", nil)
	conn := ""
	dialer := ws.Dialer{OnHeader: func(key, value []byte) error {
		if strings.EqualFold(string(key), "Rhea-Conn") {
			conn = string(value)
		}
		return nil
	}}
	socket, buffered, _, err := dialer.Dial(context.Background(), r.url)
	if err != nil {
		t.Fatal(err)
	}
	c := converser(socket, buffered)
	t.Cleanup(c.close)
	tr := r.trace(conn)
	sub, err := c.subscribe("s", `{"kinds":[1]}`)
	if err == nil {
		err = c.waitEOSE(sub)
	}
	if err != nil {
		t.Fatal(err)
	}
	event := nostrtest.Events(t)[0]
	if ok, err := c.publish(nostrtest.Lines(t)[0], fmt.Sprintf("%x", event.ID[:])); err != nil || !ok.accepted {
		t.Fatalf("%v %v", ok, err)
	}
	converse(t, r.url, "another", 1) // which is not told, but for what it has delivered here
	if err := c.unsubscribe("s"); err != nil {
		t.Fatal(err)
	}
	tr.await(t, " Unwatch ")
	tr.cmd.Process.Signal(syscall.SIGINT)
	<-tr.done
	text := tr.said.tail(100_000)
	t.Logf("\n%s", text)
	inOrder(t, text, " Query ", " Watch ", " EventFrame ", " Admitted ", " Verdict ", " Unwatch ", "1 × EVENT or AUTH, answered after ", "1 × query, answered after ")
	if tr.cmd.ProcessState.ExitCode() != 0 || strings.Count(text, " EventFrame ") != 1 || strings.Count(text, " Query ") != 1 {
		t.Errorf("code %d", tr.cmd.ProcessState.ExitCode())
	}
}

// What cannot be followed is refused in one line.
func TestTraceRefuses(t *testing.T) {
	r := start(t, "solo", "", nil)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{nil, 64, "what is to be followed"},
		{[]string{"abcdefgh"}, 64, "no event id"},
		{[]string{"abc"}, 64, "no event id"},
		{[]string{"1a2b-x"}, 64, "no connection"},
		{[]string{"--timeout=-1s", "00000000"}, 64, "--timeout"},
		{[]string{"00000001-1"}, 1, "no gateway 00000001 is on the bus"},
		{[]string{"--data", t.TempDir(), "00000000"}, 1, "no relay runs on"},
	} {
		cmd := exec.Command(filepath.Join(bin, "rhea"), append([]string{"trace", "--data", r.data}, c.args...)...)
		text, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != c.code || !strings.Contains(string(text), c.want) || strings.Count(string(text), "\n") != 1 {
			t.Errorf("%q: %v\n%s", c.args, err, text)
		}
	}
}
