package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"rhea/proto/bus"
	"rhea/proto/stage"
	"rhea/rhea/datadir"
	"rhea/rhea/operate"
	"rhea/writer"
)

const infoHelp = `Usage: rhea info [flags]

Says what a relay's store holds: its identity and format, how many events, from when to when, and
how large it is on disk. Asks the relay if it runs, and says so if it does not: then it reads the
store in the data directory. Also prints those settings of the writer that most decide about
size, as this command reads them: give it the relay's --config.

  --json               print one object, without the settings` + operatorFlags

func showInfo(h stage.Host) int {
	own := struct {
		Flags struct {
			JSON bool `toml:"json"`
		} `toml:"-"`
		Writer writer.Config `toml:"writer"`
	}{Writer: writer.DefaultConfig()}
	o, code, done := newOperator(h, "info", infoHelp, &own)
	if done {
		return code
	}
	if len(o.rest) > 0 {
		fmt.Fprintf(h.Stderr, "rhea info: %q is not a flag, and nothing else is expected; see --help\n", o.rest[0])
		return stage.ExitUsage
	}
	dir := storeDir(o.cfg.Up.Data, own.Writer.Dir)
	show := func(info operate.Info) error {
		if own.Flags.JSON {
			return info.WriteJSON(h.Stdout)
		}
		err := info.Write(h.Stdout)
		w := own.Writer
		_, e := fmt.Fprintf(h.Stdout, "settings: disk_reserve %s, cache %s, mem_table %s\n", w.DiskReserve, w.Cache, w.MemTable)
		return errors.Join(err, e)
	}
	local := o.cfg.Bus.URL == operate.FromData
	running, err := datadir.Running(o.cfg.Up.Data)
	if local && err == nil && running == nil {
		info, err := operate.StoppedInfo(dir)
		if err == nil {
			err = show(info)
		}
		if err != nil {
			return fail(h, "info", err)
		}
		return stage.ExitOK
	}
	return o.withBus(func(ctx context.Context, b *bus.Bus) error {
		info, err := operate.RunningInfo(ctx, b)
		if err != nil {
			return err
		}
		if _, gone := os.Stat(dir); local && gone == nil {
			if err := info.Measure(dir); err != nil {
				return err
			}
		}
		return show(info)
	})
}
