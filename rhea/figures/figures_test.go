package figures

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"rhea/proto/subject"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Who reads a name or a help text knows the unit, and what the figure is of.
func TestEveryFigureExplainsItself(t *testing.T) {
	list, err := List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[subject.Stage]int)
	for _, f := range list {
		seen[owner(f.Name)]++
		help := strings.ToLower(f.Help)
		complain := func(why string) { t.Errorf("%s (%s): %s", f.Name, f.Help, why) }
		unit := strings.TrimSuffix(f.Name, "_total")
		switch {
		case !strings.HasSuffix(help, "."):
			complain("the help is no sentence")
		case strings.HasSuffix(unit, "_seconds") != strings.Contains(help, "seconds") && f.Name != "rhea_ready":
			complain("name and help differ on seconds")
		case strings.HasSuffix(unit, "_bytes") && !strings.Contains(help, "bytes"):
			complain("the help does not say that it is bytes")
		case strings.HasSuffix(f.Name, "_total") != (f.Type == "counter"):
			complain("a " + f.Type + " of that name")
		}
	}
	for _, st := range append(subject.Stages(), Supervisor, "") {
		if seen[st] == 0 {
			t.Errorf("nothing is of %q", st)
		}
	}
}
