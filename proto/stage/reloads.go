package stage

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// PollEvery is how often Reloads.Poll is to be called. A changed file is read when
// it has stayed the same from one call to the next.
const PollEvery = 2 * time.Second

// Reloads reads a program's settings again while it runs, and says what came of it:
// in the log, where a bad file is one line and changes nothing, and in metrics. It
// belongs to one goroutine.
type Reloads struct {
	loader *Loader
	log    *slog.Logger
	shell  *shell
	// Mine, if not nil, says which settings are worth a word in the log.
	Mine func(setting string) bool

	good, bad        *Counter
	current, waiting *Gauge
}

// NewReloads returns the reloads of what a loader has loaded for a process. What
// changes is given to all stages in it (Process.Reload), and the level of their logs
// follows.
func NewReloads(l *Loader, p Process) *Reloads {
	m := p.Metrics.Common()
	r := &Reloads{
		loader: l, log: p.Log, shell: p.shell,
		good:    m.Counter("config_reloads", "Times that the configuration was read again, by result.", "result", "ok"),
		bad:     m.Counter("config_reloads", "Times that the configuration was read again, by result.", "result", "failed"),
		current: m.Gauge("config_current", "1 while the configuration in force is what was read last; 0 after a file that was refused."),
		waiting: m.Gauge("config_waits_for_restart", "Settings of the file that are not in force before a restart."),
	}
	r.current.Set(1)
	return r
}

// Poll looks whether the file has changed, and if so and good returns what is in
// force from now on.
func (r *Reloads) Poll() (s Settings, changed bool) {
	if !r.loader.edited() {
		return Settings{}, false
	}
	return r.read("the file has changed", slog.LevelDebug)
}

// Now reads the configuration at once. It returns what is in force from now on, if
// that has changed.
func (r *Reloads) Now(because string) (s Settings, changed bool) {
	return r.read(because, slog.LevelInfo)
}

// read logs at the given level that nothing has changed.
func (r *Reloads) read(because string, quiet slog.Level) (Settings, bool) {
	got, err := r.loader.Reload()
	switch {
	case errors.Is(err, ErrNothingToReload):
		r.log.Info(err.Error(), "because", because)
		return Settings{}, false
	case err != nil:
		r.bad.Inc()
		r.current.Set(0)
		r.log.Error("the configuration is bad: the settings stay as they are", "err", err, "because", because)
		return Settings{}, false
	}
	r.good.Inc()
	r.current.Set(1)
	r.waiting.Set(int64(len(got.Restart)))
	changed, restart := r.mine(got.Changed), r.mine(got.Restart)
	if len(got.Changed) > 0 {
		r.shell.level.Set(Section[LogConfig](got.Settings).level())
		r.shell.publish(got.Settings)
	}
	switch {
	case len(changed) > 0:
		r.log.Info("settings have changed", "now", changed, "because", because)
	case len(restart) == 0:
		r.log.Log(context.Background(), quiet, "settings read again: nothing has changed here", "because", because)
	}
	if len(restart) > 0 {
		r.log.Warn("settings need a restart: until then they stay as they were", "settings", restart)
	}
	return got.Settings, len(got.Changed) > 0
}

func (r *Reloads) mine(settings []string) []string {
	if r.Mine == nil {
		return settings
	}
	var mine []string
	for _, s := range settings {
		if r.Mine(s) {
			mine = append(mine, s)
		}
	}
	return mine
}
