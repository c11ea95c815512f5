package stage

import (
	"fmt"
	"reflect"
)

// Settings is a configuration that has been read and validated, section by
// section. It is read-only, and safe for concurrent use.
type Settings struct{ sections []any }

// SettingsOf returns settings of the given sections, structs by value.
func SettingsOf(sections ...any) Settings { return Settings{sections} }

// Section returns the section of a type. That there is none is a defect of the
// program: it panics.
func Section[T any](s Settings) T {
	for _, one := range s.sections {
		if section, ok := one.(T); ok {
			return section
		}
	}
	panic(fmt.Sprintf("stage: the settings have no section of type %s", reflect.TypeFor[T]()))
}

// Settings returns what is in force. Load must have succeeded.
func (l *Loader) Settings() Settings { return settingsOf(l.inForce) }

// settingsOf copies what sections hold.
func settingsOf(sections []*section) Settings {
	var s Settings
	for _, one := range sections {
		s.sections = append(s.sections, one.holder.Interface())
	}
	return s
}
