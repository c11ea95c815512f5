package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rhea/proto/nostr/nostrtest"
)

// recorder is a running `rhea record`.
type recorder struct {
	cmd  *exec.Cmd
	said *logBuffer
	done chan struct{}
}

// record starts recording to file and returns once it records.
func (r *relay) record(file string, args ...string) *recorder {
	r.t.Helper()
	c := &recorder{said: &logBuffer{}, done: make(chan struct{})}
	c.cmd = exec.Command(filepath.Join(bin, "rhea"), append([]string{"record", "--data", r.data, "--out", file}, args...)...)
	says, err := c.cmd.StderrPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	records := make(chan struct{})
	go func() {
		lines := bufio.NewReader(says)
		if first, _ := lines.ReadString('\n'); strings.Contains(first, "recording to") {
			close(records)
		} else {
			io.WriteString(c.said, first)
		}
		io.Copy(c.said, lines)
		c.cmd.Wait()
		close(c.done)
	}()
	r.t.Cleanup(func() {
		c.cmd.Process.Kill()
		<-c.done
	})
	select {
	case <-records:
	case <-c.done:
		r.t.Fatalf("rhea record ended: %s", c.said.tail(1000))
	case <-time.After(patience):
		r.t.Fatal("rhea record does not start")
	}
	return c
}

// end sends the recorder a signal and returns its exit code and what it said.
func (c *recorder) end(s syscall.Signal) (code int, said string) {
	c.cmd.Process.Signal(s)
	<-c.done
	return c.cmd.ProcessState.ExitCode(), c.said.tail(1000)
}

// show runs `rhea show`.
func show(t testing.TB, args ...string) (out, errs string, code int) {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "rhea"), append([]string{"show"}, args...)...)
	var o, e strings.Builder
	cmd.Stdout, cmd.Stderr = &o, &e
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// What clients did is in the recording: an event's way from its frame to those who
// are subscribed, a subscription's from REQ to CLOSE, each by itself when asked for.
func TestRecordAndShow(t *testing.T) {
	r := start(t, "up", "", nil)
	file := filepath.Join(t.TempDir(), "x.rec")
	c := r.record(file)
	converse(t, r.url, "quiet", 0)
	if code, said := c.end(syscall.SIGINT); code != 0 || !strings.Contains(said, "recorded ") || strings.Contains(said, "lost") {
		t.Fatalf("code %d: %s", code, said)
	}
	all, errs, code := show(t, file)
	if code != 0 || errs != "" || !strings.Contains(all, "ended: interrupted") {
		t.Fatalf("code %d: %s\n%s", code, errs, all)
	}
	event := nostrtest.Events(t)[0]
	// An event's story, in the order in which it happens.
	story, _, _ := show(t, "--event", fmt.Sprintf("%x", event.ID[:]), file)
	inOrder(t, story, " EventFrame ", " Admitted ", " Entries ", "outcome=NEW", "outcome=DUPLICATE", " Part ")
	inOrder(t, story, " Entries ", " Deliveries ") // at its own pace
	// The subscription's connection: found by its filter, then followed.
	conn := ""
	for line := range strings.Lines(all) {
		if i := strings.Index(line, "conn="); strings.Contains(line, " Watch ") && i >= 0 && conn == "" {
			conn, _, _ = strings.Cut(line[i+len("conn="):], " ")
		}
	}
	story, _, _ = show(t, "--conn", conn, file)
	inOrder(t, story, " Query ", "eose", " Watch ", " Deliveries ", " Unwatch ")
	if strings.Contains(story, "EventFrame") {
		t.Errorf("another connection's event is among\n%s", story)
	}
	// As JSON every line is an object, and the same messages.
	objects, _, _ := show(t, "--json", "--conn", conn, file)
	n := 0
	for line := range strings.Lines(objects) {
		var o struct {
			Conns   []string
			Message string
			Body    map[string]any
		}
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if o.Message != "" {
			if n++; len(o.Conns) != 1 || o.Conns[0] != conn || len(o.Body) == 0 {
				t.Errorf("%s", line)
			}
		}
	}
	if text := strings.Count(story, "conn="+conn); n != text || n < 5 {
		t.Errorf("%d objects, %d lines", n, text)
	}

	if again, _ := os.ReadFile(file); true {
		_, errs, err := r.rhea(nil, "record", "--out", file)
		if after, _ := os.ReadFile(file); err == nil || !strings.Contains(errs, "never written over") || string(after) != string(again) {
			t.Errorf("recording over a recording: %v %s", err, errs)
		}
	}
}

// converse has one client subscribe and another publish event n of the corpus, twice;
// then the first reads it again and closes.
func converse(t *testing.T, url, name string, n int) {
	t.Helper()
	event, line := nostrtest.Events(t)[n], nostrtest.Lines(t)[n]
	id := fmt.Sprintf("%x", event.ID[:])
	reader, writer := dial(t, url), dial(t, url)
	filter := fmt.Sprintf(`{"authors":["%x"]}`, event.PubKey[:])
	sub, err := reader.subscribe(name, filter)
	if err == nil {
		err = reader.waitEOSE(sub)
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if ok, err := writer.publish(line, id); err != nil || !ok.accepted {
			t.Fatalf("%v %v", ok, err)
		}
	}
	if err := reader.wait(sub, func() bool { return len(sub.events) > 0 }); err != nil {
		t.Fatal(err)
	}
	if ids, err := writer.query("again", filter); err != nil || len(ids) == 0 {
		t.Fatalf("%v %v", ids, err)
	}
	if err := reader.unsubscribe(name); err != nil {
		t.Fatal(err)
	}
	// The CLOSE has been heard when what follows it on the same socket is answered.
	if _, err := reader.query("after", `{"limit":1}`); err != nil {
		t.Fatal(err)
	}
}

func inOrder(t *testing.T, text string, wants ...string) {
	t.Helper()
	rest := text
	for _, want := range wants {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Errorf("%q is missing, or too early, in\n%s", want, text)
			return
		}
		rest = after
	}
}

// A recorder that is killed leaves all but the last moment; the recording can be shown,
// and says that it is cut.
func TestRecorderKilled(t *testing.T) {
	r := start(t, "solo", "", nil)
	file := filepath.Join(t.TempDir(), "x.rec")
	c := r.record(file)
	converse(t, r.url, "killed", 0)
	// Each talk makes a later block; when one of a later talk is in the file, all of the
	// first is.
	for n := 1; ; n++ {
		if out, _, _ := show(t, "--subject", "ingest.>", file); strings.Contains(out, fmt.Sprintf("id=%.8x", nostrtest.Events(t)[0].ID[:])) && n > 1 {
			break
		}
		if n > 40 {
			t.Fatal("nothing is written")
		}
		converse(t, r.url, "killed", n)
	}
	if code, _ := c.end(syscall.SIGKILL); code == 0 {
		t.Fatal("it was not killed")
	}
	out, errs, code := show(t, "--event", fmt.Sprintf("%x", nostrtest.Events(t)[0].ID[:]), file)
	if code != 1 || !strings.Contains(errs, "is cut") {
		t.Errorf("code %d: %s", code, errs)
	}
	inOrder(t, out, " EventFrame ", " Admitted ", " Entries ", "outcome=NEW")
}

// What makes no recording is refused in one line, and leaves nothing.
func TestRecordRefuses(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--redact", "content"}, 64, "auth or addresses"},
		{[]string{"--subject", "ingest.>,ingest.1"}, 64, "overlap"},
		{[]string{"--max-age=-1s"}, 64, "--max-age"},
		{[]string{"--max-size", "much"}, 64, "size"},
		{[]string{"file"}, 64, "not a flag"},
		{[]string{"--data", dir}, 1, "no relay runs on"},
	} {
		cmd := exec.Command(filepath.Join(bin, "rhea"), append([]string{"record"}, c.args...)...)
		cmd.Dir = dir
		text, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != c.code || !strings.Contains(string(text), c.want) || strings.Count(string(text), "\n") != 1 {
			t.Errorf("%q: %v\n%s", c.args, err, text)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
