package main

import (
	"fmt"
	"io"
	"strings"

	"rhea/gateway"
	"rhea/ingester"
	"rhea/monitor"
	"rhea/negentropy"
	"rhea/proto/stage"
	"rhea/reqworker"
	"rhea/writer"
)

const stageHelp = `Usage: rhea stage STAGE [flags]

Runs one stage, as rhea-STAGE does. rhea up runs its stages so: processes of one file have its
code in memory once. rhea stage STAGE --help lists the settings. The stages:
`

// programs are the stages that a process can be.
func programs() []stage.Program {
	return []stage.Program{
		gateway.Program(), ingester.Program(), writer.Program(), reqworker.Program(), monitor.Program(), negentropy.Program(),
	}
}

// program returns the stage that args begin with.
func program(args []string) (p stage.Program, found bool) {
	for _, p := range programs() {
		if len(args) > 0 && args[0] == p.Stage {
			p.Name = "rhea stage " + p.Stage
			return p, true
		}
	}
	return stage.Program{}, false
}

func runStage(h stage.Host) int {
	if p, found := program(h.Args); found {
		h.Args = h.Args[1:]
		return p.Start(h)
	}
	var names []string
	for _, p := range programs() {
		names = append(names, p.Stage)
	}
	if len(h.Args) > 0 && (h.Args[0] == "--help" || h.Args[0] == "-h") {
		io.WriteString(h.Stdout, stageHelp+"  "+strings.Join(names, ", ")+"\n") // as of usage
		return stage.ExitOK
	}
	fmt.Fprintf(h.Stderr, "rhea stage: which one? %s\n", strings.Join(names, ", "))
	return stage.ExitUsage
}

// partOfStage is what the stage that args name takes of the machine.
func partOfStage(args []string) stage.Part {
	p, _ := program(args)
	return p.Part
}
