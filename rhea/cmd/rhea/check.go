package main

import (
	"errors"

	"rhea/proto/stage"
	"rhea/rhea/operate"
	"rhea/rhea/settings"
	"rhea/writer"
)

const checkHelp = `Usage: rhea check [flags]

Reads the whole store of a relay that does not run, and says whether the log and every index
agree. Ends with exit code 1 when they do not.

  --data DIR           data directory of the relay (./data)
  --config FILE        read settings from a TOML file (or RHEA_CONFIG)
`

type checkConfig struct {
	Up     settings.Up   `toml:"up"`
	Writer writer.Config `toml:"writer"`
}

func check(h stage.Host) int {
	cfg := checkConfig{Up: settings.DefaultUp(), Writer: writer.DefaultConfig()}
	l := &stage.Loader{Name: "rhea check", Config: []any{&cfg}}
	rest, mode, code, done := load(h, l, checkHelp, unalias(h.Args, nil))
	if done {
		return code
	}
	if code, done := noArguments(h, l, rest); done {
		return code
	}
	dir := storeDir(cfg.Up.Data, cfg.Writer.Dir)
	if mode == stage.ModePrintConfig {
		cfg.Writer.Dir = dir
		if err := l.WriteConfig(h.Stdout); err != nil {
			return fail(h, "check", err)
		}
		return stage.ExitOK
	}
	sound, err := operate.Check(cfg.Up.Data, dir, h.Stdout)
	if err == nil && !sound {
		err = errors.New("the store is damaged: keep a copy, then export what can be read and import it into a new one")
	}
	if err != nil {
		return fail(h, "check", err)
	}
	return stage.ExitOK
}
