package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"rhea/proto/stage"
)

// aliases are the short names of settings on rhea's command lines.
func aliases() map[string]string {
	return map[string]string{
		"--listen":     "--gateway.listen",
		"--data":       "--up.data",
		"--gateways":   "--up.gateways",
		"--ingesters":  "--up.ingesters",
		"--reqworkers": "--up.reqworkers",
		"--monitors":   "--up.monitors",
	}
}

// unalias replaces short names by the settings' own, up to a "--".
func unalias(args []string, more map[string]string) []string {
	short := aliases()
	for name, long := range more {
		short[name] = long
	}
	out := make([]string, 0, len(args))
	for i, arg := range args {
		if arg == "--" {
			return append(out, args[i:]...)
		}
		name, value, given := strings.Cut(arg, "=")
		if long, ok := short[name]; ok {
			arg = long
			if given {
				arg += "=" + value
			}
		}
		out = append(out, arg)
	}
	return out
}

// load reads a command's configuration. When there is nothing left to do, for
// --help or an error, code is the exit code and done is true.
func load(h stage.Host, l *stage.Loader, help string, args []string) (rest []string, mode stage.Mode, code int, done bool) {
	l.Environ = h.Environ
	l.Aliases = append(slices.Sorted(maps.Keys(aliases())), "--bus")
	rest, mode, err := l.Load(args, h.LookupEnv)
	switch {
	case err != nil:
		fmt.Fprintf(h.Stderr, "%s: %v\n", l.Name, err)
		return nil, mode, stage.ExitUsage, true
	case mode == stage.ModeHelp:
		io.WriteString(h.Stdout, help) // as in usage
		return nil, mode, stage.ExitOK, true
	case mode == stage.ModeVersion:
		fmt.Fprintf(h.Stdout, "rhea %s\n", stage.Version())
		return nil, mode, stage.ExitOK, true
	}
	return rest, mode, 0, false
}

// noArguments refuses what is not a flag.
func noArguments(h stage.Host, l *stage.Loader, rest []string) (code int, done bool) {
	if len(rest) == 0 {
		return 0, false
	}
	fmt.Fprintf(h.Stderr, "%s: %q is not a flag, and nothing else is expected; see --help\n", l.Name, rest[0])
	return stage.ExitUsage, true
}

// environment turns the settings among flags that have been loaded without a
// leftover into environment variables for other processes. That nothing is left
// over makes it plain what is a value: whatever follows a flag and is none.
func environment(args []string) []string {
	var env []string
	for i := 0; i < len(args); i++ {
		name, value, given := strings.Cut(strings.TrimPrefix(args[i], "--"), "=")
		section, key, isSetting := strings.Cut(name, ".")
		if !given {
			value = "true"
			if i+1 < len(args) && !strings.HasPrefix(args[i+1], "--") {
				i++
				value = args[i]
			}
		}
		switch {
		case isSetting:
			env = append(env, "RHEA_"+strings.ToUpper(section+"_"+key)+"="+value)
		case name == "config":
			env = append(env, "RHEA_CONFIG="+value)
		}
	}
	return env
}
