package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rhea/proto/nostr/nostrtest"
	"rhea/proto/subject"
)

// A whole relay does all that a relay does, each stage with its own certificate and
// no more permissions than the files for several machines give it, and the commands
// as operator and importer: nothing that anybody says or hears is forbidden.
func TestPermissionsSuffice(t *testing.T) {
	s := startSecureNATS(t)
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	common := append(slices.Clone(big), "RHEA_WRITER_DIR="+t.TempDir(), "RHEA_GATEWAY_LISTEN="+listen)
	stage := func(st subject.Stage) *process { return startStage(t, st, append(s.env(string(st)), common...)...) }
	for _, st := range subject.Stages() {
		stage(st)
	}
	_, roster := lookOn(t, s.config(subject.Operator))
	for _, st := range subject.Stages() {
		members(t, roster, st, 1)
	}
	url := "ws://" + listen + "/"
	x := startTrial(t, url, 4, 16)
	for _, st := range []subject.Stage{subject.Ingester, subject.Reqworker, subject.Monitor} { // shards change hands
		second := stage(st)
		members(t, roster, st, 2)
		x.until(50)
		second.stop()
	}
	s.run(t, subject.Operator, nil, "record", "--out", "-", "--max-age", "1s")
	x.until(100)
	x.finish()

	n, _ := initiators["go-nostr"](nil, 0)
	reconcile(t, &relay{url: url}, `{}`, n)
	lines := bytes.Join(nostrtest.Lines(t)[:100], []byte("\n"))
	s.run(t, subject.Importer, lines, "import")
	s.run(t, subject.Operator, nil, "scan", `{"kinds":[1]}`)
	s.run(t, subject.Operator, nil, "export")
	s.run(t, subject.Operator, nil, "status")
	if v := s.complaints("Violation"); len(v) > 0 {
		t.Errorf("%d times something was forbidden that should not be:\n%s", len(v), strings.Join(v[:min(len(v), 20)], "\n"))
	}
}

// run runs a command in a role, and wants it to say something.
func (s *secureNATS) run(t *testing.T, role string, stdin []byte, args ...string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "rhea"), args...)
	cmd.Env = append(os.Environ(), s.env(role)...)
	cmd.Stdin = bytes.NewReader(stdin)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if out, err := cmd.Output(); err != nil || len(out) == 0 {
		t.Errorf("rhea %s: %v, %d bytes\n%s", args[0], err, len(out), &errs)
	}
}
