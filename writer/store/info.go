package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"rhea/proto/nostr"
	"rhea/proto/subject"
)

// Format is the version of the layout that Open brings every store to.
const Format = formatVersion

// Info is what a store says of itself.
type Info struct {
	ID     uint64 // its identity; see Store.ID
	Format uint32 // of its keys and values; see the package documentation
	Head   subject.Seq
	Events uint64
	Oldest int64 // created_at of the oldest event, Unix seconds; 0 of an empty store
	Newest int64
}

// ReadInfo opens the store in dir for reading only and asks it. The error is an
// *InUseError while a writer serves it, or comes from opening and reading.
func ReadInfo(dir string, opt Options) (_ Info, err error) {
	s, err := open(dir, opt, true)
	if err != nil {
		return Info{}, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	format, err := s.get(metaFormat, 4)
	if err != nil {
		return Info{}, err
	}
	v, err := s.View()
	if err != nil {
		return Info{}, err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	info := Info{ID: s.id, Format: binary.BigEndian.Uint32(format), Head: v.seq, Events: s.w.events}
	if info.Oldest, err = v.end(true); err != nil {
		return Info{}, err
	}
	info.Newest, err = v.end(false)
	return info, err
}

// end returns the created_at of the oldest or the newest event.
func (v *View) end(oldest bool) (int64, error) {
	one := nostr.All()
	one.Limit = 1
	req := ScanRequest{Filters: []nostr.Filter{one}, Ascending: oldest, Everything: true}
	for {
		r, err := v.Scan(req)
		if err != nil {
			return 0, err
		}
		if len(r.Events) > 0 {
			e, err := nostr.ParseEvent(r.Events[0], nostr.EventLimits{})
			if err != nil {
				return 0, fmt.Errorf("an event that is stored: %w", err)
			}
			return e.CreatedAt, nil
		}
		if r.Done {
			return 0, nil
		}
		req.Cursor = r.Cursor
	}
}
