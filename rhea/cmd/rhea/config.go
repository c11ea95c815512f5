package main

import (
	"fmt"
	"io"

	"rhea/proto/stage"
	"rhea/rhea/settings"
)

const configHelp = `Usage: rhea config check FILE

Reads a TOML file as all programs of a relay would, and says in one line what is wrong with it,
or that it is good; starts nothing and changes nothing. The environment and flags of a process
go over what the file says, and are not looked at. Ends with exit code 64 when the file is bad.
`

func config(h stage.Host) int {
	switch {
	case len(h.Args) > 0 && (h.Args[0] == "--help" || h.Args[0] == "-h"):
		io.WriteString(h.Stdout, configHelp) // as in usage
		return stage.ExitOK
	case len(h.Args) != 2 || h.Args[0] != "check" || h.Args[1] == "":
		fmt.Fprintln(h.Stderr, "rhea config: which file? rhea config check FILE")
		return stage.ExitUsage
	}
	if err := settings.Check(h.Args[1]); err != nil {
		fmt.Fprintf(h.Stderr, "rhea config: %v\n", err)
		return stage.ExitUsage
	}
	fmt.Fprintf(h.Stdout, "%s: good\n", h.Args[1])
	return stage.ExitOK
}
