package stage

import (
	"fmt"
	"iter"
	"os"
	"reflect"
	"slices"
	"strings"
)

// Loader reads a program's configuration, once and then again when it has changed,
// and describes it. It is used by one goroutine.
type Loader struct {
	Name string // of the program or command, as the operator types it
	Args string // what may follow the flags, for the usage line; "" if nothing
	Doc  string // one paragraph for --help
	// Config holds pointers to structs whose fields, tagged toml:"name" and
	// help:"…", are the sections: structs whose fields, tagged in the same way,
	// are the settings. They hold the defaults when Load is called. Embedded
	// structs without a tag are looked into; fields without a tag are left alone.
	//
	// A setting is a string, bool, integer, float64, time.Duration ("5s"),
	// ByteSize (64 or "64MiB"), []string, or marshals itself as text. One tagged
	// secret:"true" is never printed.
	//
	// A section tagged toml:"-" is of the command line alone: its flags are
	// --key, and neither file nor environment can set them.
	Config []any
	// Known lists the sections of all programs; nil means Sections().
	Known []string
	// Environ is os.Environ() or like it: variables among it that name a section of
	// this program and no key of it are refused. Nil refuses none.
	Environ []string
	// Aliases are the flags, with their dashes, that the caller has replaced in the
	// arguments already; they are suggested for misspelt ones.
	Aliases []string

	sections []*section
	defaults []reflect.Value // copies of what Config held at first

	// What Load has read, for Reload.
	args      []string
	lookupEnv func(string) (string, bool)
	path      string     // of the file; "" if there is none
	regular   bool       // it can be read again
	seen      look       // the file as read last
	changing  *look      // the file as it was at the last call of edited, if it was another
	wasEmpty  bool       // the file that is in force
	inForce   []*section // copies
}

// Mode is what the command line asks for. If it asks for several, the highest.
type Mode int

// The modes.
const (
	ModeRun         Mode = iota // do the work
	ModePrintConfig             // print WriteConfig, end
	ModeVersion                 // print the version, end
	ModeHelp                    // print WriteHelp, end
)

// builtinFlags are the flags that every program has.
var builtinFlags = [...]string{"config", "print-config", "help", "version"}

// Load fills the sections: over the defaults the file named by --config or
// RHEA_CONFIG, over that the environment (RHEA_<SECTION>_<KEY>), over that the
// flags (--<section>.<key>, the last one wins), and calls Validate on every section
// that has it. It returns the arguments that are not flags. An error is one line
// and names where the bad value came from.
//
// A variable or flag that is set to nothing is set: it makes a string or a list
// empty, is no file for --config and RHEA_CONFIG, and is an error for a setting of
// any other type. LookupEnv is os.LookupEnv or like it.
//
// Load is called once. With ModeHelp and ModeVersion nothing is read and nothing validated.
func (l *Loader) Load(args []string, lookupEnv func(string) (string, bool)) (rest []string, mode Mode, err error) {
	l.prepare()
	line, err := l.parse(args)
	if err != nil {
		return nil, ModeRun, err
	}
	if line.mode == ModeHelp || line.mode == ModeVersion {
		return line.rest, line.mode, nil
	}
	l.args, l.lookupEnv, l.path = args, lookupEnv, line.config
	if !line.configGiven {
		l.path, _ = lookupEnv("RHEA_CONFIG")
	}
	if err := l.readFile(); err != nil {
		return nil, line.mode, err
	}
	if err := l.checkEnviron(); err != nil {
		return nil, line.mode, err
	}
	for k := range l.keys() {
		if k.env() == "" {
			continue
		}
		if text, given := lookupEnv(k.env()); given {
			if err := k.setText(text); err != nil {
				return nil, line.mode, fmt.Errorf("%s in the environment: %w", k.env(), err)
			}
		}
	}
	for _, set := range line.settings {
		if err := set.key.setText(set.text); err != nil {
			return nil, line.mode, fmt.Errorf("--%s: %w", set.key.flag(), err)
		}
	}
	for _, s := range l.sections {
		if err := s.validate(); err != nil {
			return nil, line.mode, err
		}
	}
	copies := make([]any, len(l.Config))
	for i, c := range l.Config {
		copies[i] = fresh(reflect.ValueOf(c).Elem())
	}
	l.inForce = sectionsOf(copies)
	return line.rest, line.mode, nil
}

// readFile applies the file, if there is one.
func (l *Loader) readFile() error {
	if l.path == "" {
		return nil
	}
	info, err := os.Stat(l.path)
	l.regular = err == nil && info.Mode().IsRegular()
	if l.seen, err = readFile(l.path); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	l.wasEmpty = strings.TrimSpace(l.seen.text) == ""
	return applyFile(l.path, l.seen.text, l.sections, l.known())
}

func readFile(path string) (look, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return look{err: err.Error()}, err
	}
	return look{text: string(text)}, nil
}

// prepare walks Config once, while it still holds the defaults.
func (l *Loader) prepare() {
	if l.sections != nil {
		return
	}
	l.sections = sectionsOf(l.Config)
	for _, c := range l.Config {
		held := reflect.ValueOf(c).Elem()
		l.defaults = append(l.defaults, reflect.ValueOf(fresh(held)).Elem())
	}
	for _, s := range l.sections {
		if s.name != "" && !slices.Contains(l.known(), s.name) {
			panic("stage: section [" + s.name + "] is not listed in stage.Sections")
		}
	}
}

func (l *Loader) known() []string {
	if l.Known == nil {
		return Sections()
	}
	return l.Known
}

func (l *Loader) keys() iter.Seq[*key] {
	return func(yield func(*key) bool) {
		for _, s := range l.sections {
			for _, k := range s.keys {
				if !yield(k) {
					return
				}
			}
		}
	}
}

// commandLine is what the arguments say, before any of it is applied.
type commandLine struct {
	mode        Mode
	config      string
	configGiven bool // also as --config=, which is no file
	settings    []setting
	rest        []string
}

type setting struct {
	key  *key
	text string
}

// parse reads --flag=value, --flag value, and --flag for a bool. Flags and other
// arguments may be mixed; "--" ends the flags.
func (l *Loader) parse(args []string) (commandLine, error) {
	var line commandLine
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			line.rest = append(line.rest, args...)
			break
		}
		if arg == "-h" {
			arg = "--help"
		}
		if len(arg) < 2 || arg[0] != '-' {
			line.rest = append(line.rest, arg)
			continue
		}
		name, value, given := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		k := l.key(name)
		if k == nil && !slices.Contains(builtinFlags[:], name) {
			wrong := strings.SplitN(arg, "=", 2)[0]
			if near := l.nearestFlag(name); near != "" {
				return line, fmt.Errorf("there is no flag %s; did you mean %s?", wrong, near)
			}
			return line, fmt.Errorf("there is no flag %s; see --help", wrong)
		}
		takesValue := name == "config" || k != nil && k.value.Kind() != reflect.Bool
		switch {
		case given && k == nil && name != "config":
			return line, fmt.Errorf("--%s takes no value", name)
		case !given && !takesValue:
			value = "true"
		case !given && (len(args) == 0 || strings.HasPrefix(args[0], "--")):
			return line, fmt.Errorf("--%s needs a value", name)
		case !given:
			value, args = args[0], args[1:]
		}
		switch name {
		case "config":
			line.config, line.configGiven = value, true
		case "help":
			line.mode = max(line.mode, ModeHelp)
		case "version":
			line.mode = max(line.mode, ModeVersion)
		case "print-config":
			line.mode = max(line.mode, ModePrintConfig)
		default:
			line.settings = append(line.settings, setting{k, value})
		}
	}
	return line, nil
}

func (l *Loader) key(flag string) *key {
	for k := range l.keys() {
		if k.flag() == flag {
			return k
		}
	}
	return nil
}
