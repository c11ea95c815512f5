package up

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rhea/proto/subject"
)

// rolled is a supervisor whose children run, and the way to have them replaced.
type rolled struct {
	t     *testing.T
	lines <-chan string
	rolls chan Roll
	died  chan subject.Stage
}

// startRolled starts programs and returns when each says that it runs.
func startRolled(t *testing.T, programs ...Program) *rolled {
	r, w := io.Pipe()
	s := supervisor(w, programs...)
	ready := make(chan struct{})
	close(ready)
	x := &rolled{t: t, rolls: make(chan Roll), died: make(chan subject.Stage, 100)}
	s.Ready, s.Rolls, s.Died = ready, x.rolls, func(st subject.Stage, _ int) { x.died <- st }
	lines, ended, stop := watched(t, s, r)
	x.lines = lines
	for range programs {
		await(t, lines, "running")
	}
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		w.Close()
	})
	return x
}

// roll replaces the children of some stages, and returns what was said of it.
func (x *rolled) roll(stages ...subject.Stage) (said []string, err error) {
	done := make(chan error, 1)
	x.rolls <- Roll{Stages: stages, Say: func(text string) { said = append(said, text) }, Done: func(err error) { done <- err }}
	err = <-done
	return said, err
}

// deaths returns the stages of which a process has ended so far.
func (x *rolled) deaths() (list []subject.Stage) {
	for len(x.died) > 0 {
		list = append(list, <-x.died)
	}
	return list
}

// Each process is replaced by one that was ready before, the writer's by one that
// came after; what is nearer the store first.
func TestRoll(t *testing.T) {
	x := startRolled(t, child1("waits", subject.Writer), child1("waits", subject.Monitor), child1("waits", subject.Monitor), child1("waits", subject.Gateway))
	said, err := x.roll()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := x.deaths(), []subject.Stage{subject.Writer, subject.Monitor, subject.Monitor, subject.Gateway}; !slices.Equal(got, want) {
		t.Errorf("%v have ended, want %v", got, want)
	}
	if len(said) != 8 || !strings.HasPrefix(said[0], "writer: process ") || !strings.HasPrefix(said[7], "gateway: replaced, in ") {
		t.Errorf("said: %q", said)
	}
	said, err = x.roll(subject.Monitor)
	if got := x.deaths(); err != nil || len(said) != 4 || len(got) != 2 || got[0] != subject.Monitor {
		t.Errorf("monitors alone: %v; %q; %v have ended", err, said, got)
	}
}

// A new process that does not come up changes nothing: the old one stays, or, where
// it had to go first, runs again.
func TestRollFails(t *testing.T) {
	for _, c := range []struct {
		stage  subject.Stage
		want   string
		deaths int
	}{
		{subject.Reqworker, "reqworker: the new process does not come up, and the old one stays: the second fails (exit status 1)", 1},
		{subject.Writer, "writer: the new process does not come up, and the old program runs again: the second fails (exit status 1)", 2},
	} {
		p := child1("second fails", c.stage)
		p.Env = append(p.Env, startsEnv+"="+filepath.Join(t.TempDir(), "starts"))
		x := startRolled(t, p)
		_, err := x.roll()
		if err == nil || err.Error() != c.want {
			t.Errorf("%v\nwant %s", err, c.want)
		}
		if got := x.deaths(); len(got) != c.deaths {
			t.Errorf("%v have ended, want %d", got, c.deaths)
		}
		if _, err := x.roll(); err != nil { // the third start is a good one
			t.Errorf("again: %v", err)
		}
	}
}

// A program that does not start at all is found out before anything ends.
func TestRollOfAMissingProgram(t *testing.T) {
	writer, gateway := child1("waits", subject.Writer), child1("waits", subject.Gateway)
	link := filepath.Join(t.TempDir(), "program")
	if err := os.Symlink(gateway.Path, link); err != nil {
		t.Fatal(err)
	}
	gateway.Path = link
	x := startRolled(t, writer, gateway)
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	_, err := x.roll()
	if err == nil || !strings.HasPrefix(err.Error(), "nothing was replaced, since the program of gateway does not start: ") {
		t.Error(err)
	}
	if got := x.deaths(); len(got) > 0 {
		t.Errorf("%v have ended", got)
	}
}
