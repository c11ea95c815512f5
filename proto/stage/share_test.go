package stage_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"rhea/proto/stage"
)

// TestShare looks at what becomes of a process of its own: the parts, the floor of
// one, and the environment, which wins.
func TestShare(t *testing.T) {
	if os.Getenv("RHEA_TEST_SHARE") != "" {
		before := runtime.GOMAXPROCS(0)
		stage.Share(stage.Part{Garbage: 37, Processors: func(processors int) int {
			if processors != before {
				t.Errorf("asked for the part of %d processors, there are %d", processors, before)
			}
			return 0
		}})
		fmt.Printf("processors=%d\ngarbage=%d\n", runtime.GOMAXPROCS(0), debug.SetGCPercent(100))
		return
	}
	for _, c := range []struct{ env, want string }{
		{"", "processors=1\ngarbage=37"},
		{"GOMAXPROCS=3", "processors=3\ngarbage=37"},
		{"GOGC=80", "processors=1\ngarbage=80"},
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestShare$")
		cmd.Env = append(os.Environ(), "RHEA_TEST_SHARE=1", "GOMAXPROCS=", "GOGC=")
		if c.env != "" {
			cmd.Env = append(cmd.Env, c.env)
		}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), c.want+"\n") {
			t.Errorf("with %q: %v, %s; want %s", c.env, err, out, c.want)
		}
	}
	for _, c := range [][3]int{{1, 0, 0}, {2, 0, 1}, {16, 4, 8}} {
		if got := [3]int{c[0], stage.Quarter(c[0]), stage.Half(c[0])}; got != c {
			t.Errorf("parts of %d: %v, want %v", c[0], got[1:], c[1:])
		}
	}
}
