package e2e

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
	"rhea/proto/subject"
)

// recording is a running `rhea record`.
type recording struct {
	t    *testing.T
	path string
	cmd  *exec.Cmd
	logs *logBuffer
}

// record records a relay from now on.
func record(t *testing.T, r *relay) *recording {
	t.Helper()
	rec := &recording{t: t, path: filepath.Join(t.TempDir(), "session.rec"), logs: &logBuffer{}}
	rec.cmd = exec.Command(filepath.Join(bin, "rhea"), "record", "--data", r.data, "--out", rec.path)
	rec.cmd.Stderr = rec.logs
	if err := rec.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for !strings.Contains(rec.logs.tail(1000), "recording to") {
		if time.Now().After(deadline) {
			t.Fatalf("rhea record does not begin\n%s", rec.logs.tail(1000))
		}
		<-time.After(10 * time.Millisecond)
	}
	return rec
}

// until waits until it has a message that reads like this.
func (rec *recording) until(text string) {
	rec.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		// While the recorder writes, its file has no end, which show complains of.
		out, _ := exec.Command(filepath.Join(bin, "rhea"), "show", rec.path).Output()
		if strings.Contains(string(out), text) {
			return
		}
		<-time.After(50 * time.Millisecond)
	}
	rec.t.Fatalf("%q is not recorded", text)
}

// end ends it as an operator does, and returns the file.
func (rec *recording) end() string {
	rec.t.Helper()
	rec.cmd.Process.Signal(syscall.SIGINT)
	if err := rec.cmd.Wait(); err != nil && !strings.Contains(rec.logs.tail(1000), "interrupted") {
		rec.t.Fatalf("rhea record: %v\n%s", err, rec.logs.tail(2000))
	}
	return rec.path
}

// rheaReplay runs `rhea replay`.
func rheaReplay(args ...string) (out string, code int, err error) {
	cmd := exec.Command(filepath.Join(bin, "rhea"), append([]string{"replay"}, args...)...)
	b, err := cmd.CombinedOutput()
	if exit, ok := err.(*exec.ExitError); ok {
		return string(b), exit.ExitCode(), nil
	}
	return string(b), 0, err
}

// A random history that was recorded is as it was when it is played again: into a
// whole relay with as many shards and with one, and into each stage alone. The store
// of a whole replay then exports what the recorded one did.
func TestReplayHistory(t *testing.T) {
	for name, args := range map[string][]string{
		"solo":        nil,
		"two of each": {"--gateways=2", "--ingesters=2", "--reqworkers=2", "--monitors=2"},
	} {
		t.Run(name, func(t *testing.T) {
			mode := "solo"
			if args != nil {
				mode = "up"
			}
			seed := rand.Uint64()
			t.Log("seed", seed)
			rng := rand.New(rand.NewPCG(seed, 0))
			w := &world{relay: start(t, mode, "", args), salt: fmt.Sprint(seed)}
			rec := record(t, w.relay)
			steps := generate(rng, 150)
			if err := w.run(steps); err != nil {
				t.Fatalf("seed %d: %v\nin\n%s", seed, err, describe(steps))
			}
			last := &nostr.Event{Kind: 1, CreatedAt: int64(w.second(0) - 1), Content: "the end"}
			if err := nostrtest.Sign(last, w.secret(99)); err != nil {
				t.Fatal(err)
			}
			if o, err := dial(t, w.relay.url).publish(last.AppendJSON(nil), last.ID.String()); err != nil || !o.accepted {
				t.Fatal(o, err)
			}
			rec.until("id=" + last.ID.String()[:8])
			file := rec.end()
			then, errs, err := w.relay.rhea(nil, "export")
			if err != nil {
				t.Fatalf("export: %v\n%s", err, errs)
			}
			w.relay.stop()

			for _, more := range [][]string{{"--bus.shards=1"}, {"--speed=10x"}} {
				data := t.TempDir()
				replayed(t, file, append(more, "--data", data)...)
				again := start(t, "solo", data, nil)
				now, errs, err := again.rhea(nil, "export")
				if err != nil {
					t.Fatalf("export: %v\n%s", err, errs)
				}
				again.stop()
				if now, then := lasting(now), lasting(then); now != then || now == "" {
					t.Errorf("%v: the replayed store exports %d bytes, the recorded %d", more, len(now), len(then))
				}
			}
			for _, st := range []subject.Stage{subject.Ingester, subject.Writer, subject.Reqworker, subject.Monitor, subject.Negentropy} {
				replayed(t, file, "--stage", string(st))
			}
		})
	}
}

// lasting leaves out of an export what expires: it is in the one, and no longer in the
// other.
func lasting(export string) string {
	var kept strings.Builder
	for line := range strings.Lines(export) {
		if !strings.Contains(line, `["expiration",`) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// replayed plays a recording, and fails if anything differs.
func replayed(t *testing.T, file string, args ...string) {
	t.Helper()
	out, code, err := rheaReplay(append([]string{"--expect", file}, args...)...)
	if err != nil || code != 0 || strings.Contains(out, " 0 answered") {
		t.Errorf("rhea replay --expect %s: %v, exit code %d\n%s", strings.Join(args, " "), err, code, out)
	}
	t.Logf("%v\n%s", args, out)
}
