package store

import (
	"github.com/cockroachdb/pebble/v2"
)

// lookupFilter is a filter policy for the keyspaces in which keys are looked up that
// may not be there. The others would make filters, and the work of making them,
// several times as large: an event has one id and some eight keys that are only ever
// walked through.
type lookupFilter struct{ pebble.FilterPolicy }

// Name is not that of the policy inside: its readers would miss the other keyspaces.
func (f lookupFilter) Name() string { return "rhea.lookup." + f.FilterPolicy.Name() }

func (f lookupFilter) MayContain(ftype pebble.FilterType, filter, key []byte) bool {
	return !lookedUp(key) || f.FilterPolicy.MayContain(ftype, filter, key)
}

func (f lookupFilter) NewWriter(ftype pebble.FilterType) pebble.FilterWriter {
	return lookupFilterWriter{f.FilterPolicy.NewWriter(ftype)}
}

type lookupFilterWriter struct{ pebble.FilterWriter }

func (w lookupFilterWriter) AddKey(key []byte) {
	if lookedUp(key) {
		w.FilterWriter.AddKey(key)
	}
}

func lookedUp(key []byte) bool {
	if len(key) == 0 {
		return false
	}
	switch key[0] {
	case spaceID, spaceHead, spaceDeletion, spaceVanish:
		return true
	}
	return false
}
