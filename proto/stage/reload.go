package stage

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Reloaded is what came of reading a configuration again.
type Reloaded struct {
	// Settings are in force from now on. They differ from those before in settings
	// tagged live:"true" alone: the others are as they were at the start.
	Settings Settings
	Changed  []string // the settings that have changed, such as "limits.max_filters"
	Restart  []string // those that say something else than what is in force, and need a restart
}

// ErrNothingToReload says that a program's configuration cannot have changed.
var ErrNothingToReload = errors.New("nothing to reload")

// Reload does again what Load has done, from the defaults on, with the same
// arguments and environment and with the file as it is now. Config, which the
// program may have changed, is left alone. After an error what was in force
// stays so; the error is one line.
//
// A file that has become empty is refused, though an empty one is fine to begin
// with: a disk that is full makes such files.
func (l *Loader) Reload() (Reloaded, error) {
	switch {
	case l.path == "":
		return Reloaded{}, fmt.Errorf("%w: there is no configuration file", ErrNothingToReload)
	case !l.regular:
		return Reloaded{}, fmt.Errorf("%w: %s is not a regular file", ErrNothingToReload, l.path)
	}
	next := &Loader{Name: l.Name, Known: l.Known, Environ: l.Environ, Aliases: l.Aliases}
	for _, d := range l.defaults {
		next.Config = append(next.Config, fresh(d))
	}
	_, _, err := next.Load(l.args, l.lookupEnv)
	l.seen, l.changing = next.seen, nil
	if err == nil && strings.TrimSpace(l.seen.text) == "" && !l.wasEmpty {
		err = fmt.Errorf("%s is empty", l.path)
	}
	if err != nil {
		return Reloaded{}, err
	}
	r := Reloaded{}
	for i, s := range next.sections {
		for j, k := range s.keys {
			before := l.inForce[i].keys[j]
			switch {
			case k.text() == before.text():
			case k.live:
				r.Changed = append(r.Changed, k.flag())
			default:
				r.Restart = append(r.Restart, k.flag())
				k.value.Set(before.value)
			}
		}
	}
	for _, s := range next.sections {
		if err := s.validate(); err != nil {
			return Reloaded{}, fmt.Errorf("%w, with what needs a restart (%s) as it is", err, strings.Join(r.Restart, ", "))
		}
	}
	l.inForce, l.wasEmpty = next.sections, next.wasEmpty
	r.Settings = settingsOf(l.inForce)
	return r, nil
}

// fresh returns a pointer to a copy. Lists are shared: whoever sets one sets
// another.
func fresh(v reflect.Value) any {
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	return p.Interface()
}

// look is what the file was like when it was looked at.
type look struct{ text, err string }

// edited looks at the file, and reports whether it is another than the one that
// was read last, and has been so since the call before: whoever writes it has
// finished. What it says is compared, not its time, so it may be replaced,
// mounted, or swapped by a link, as Kubernetes does, alike.
func (l *Loader) edited() bool {
	if l.path == "" || !l.regular {
		return false
	}
	now, _ := readFile(l.path)
	switch {
	case now == l.seen:
		l.changing = nil
	case l.changing == nil || *l.changing != now:
		l.changing = &now
	default:
		return true
	}
	return false
}
