package figures

import (
	_ "embed" // intro.md
	"fmt"
	"slices"
	"strings"

	"rhea/proto/subject"
)

// Page is where the page stands in the repository.
const Page = "docs/metrics.md"

//go:embed intro.md
var intro string

// Markdown is the text of the page.
func Markdown(list []Figure) string {
	var b strings.Builder
	b.WriteString(intro)
	section := func(title string, has func(Figure) bool, stages bool) {
		fmt.Fprintf(&b, "\n## %s\n\n", title)
		columns := []string{"metric", "type", "labels", "is"}
		if stages {
			columns = append(columns, "of")
		}
		fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
		for _, f := range list {
			if !has(f) {
				continue
			}
			cells := []string{"`" + f.Name + "`", f.Type, f.labels(), f.Help}
			if stages {
				cells = append(cells, f.of())
			}
			fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
		}
	}
	section("Every stage", func(f Figure) bool { return owner(f.Name) == "" }, true)
	for _, st := range []subject.Stage{subject.Gateway, subject.Ingester, subject.Writer, subject.Reqworker, subject.Monitor, subject.Negentropy} {
		section(strings.ToUpper(string(st[:1]))+string(st[1:]), func(f Figure) bool { return owner(f.Name) == st }, false)
	}
	section("rhea up", func(f Figure) bool { return owner(f.Name) == Supervisor }, false)
	return b.String()
}

// of says who has a metric that is nobody's alone.
func (f Figure) of() string {
	stages := slices.DeleteFunc(slices.Clone(f.Stages), func(s subject.Stage) bool { return s == Supervisor })
	supervised := len(stages) < len(f.Stages)
	switch all := len(stages) == len(subject.Stages()); {
	case all && supervised:
		return "all, rhea up"
	case all:
		return "all"
	case supervised && len(stages) == 0:
		return "rhea up, rhea solo"
	}
	words := make([]string, len(stages))
	for i, s := range stages {
		words[i] = string(s)
	}
	return strings.Join(words, ", ")
}
