package store

import "time"

// DiskOK reports whether the disk has as much free space as Options.ReserveBytes.
// While it has not, Commit writes nothing and reading goes on. A file system
// that cannot tell its free space has enough. It is safe for concurrent use.
func (s *Store) DiskOK() bool {
	reserve := s.reserve.Load()
	if reserve < 0 {
		return true
	}
	usage, err := s.opt.FS.GetDiskUsage(s.dir)
	return err != nil || usage.AvailBytes >= uint64(reserve)
}

// Adjust changes what Options.ReserveBytes and Options.EphemeralKeep have said, 0
// being the default again. It belongs to the goroutine that calls Commit.
func (s *Store) Adjust(reserveBytes int64, ephemeralKeep time.Duration) {
	o := Options{ReserveBytes: reserveBytes, EphemeralKeep: ephemeralKeep}.withDefaults()
	s.reserve.Store(o.ReserveBytes)
	s.opt.EphemeralKeep = o.EphemeralKeep // nobody else reads it
}
