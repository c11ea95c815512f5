package store

// DiskOK reports whether the disk has more free space than Options.ReserveBytes.
// While it has not, Commit writes nothing and reading goes on. A file system
// that cannot tell its free space has enough. It is safe for concurrent use.
func (s *Store) DiskOK() bool {
	if s.opt.ReserveBytes < 0 {
		return true
	}
	usage, err := s.opt.FS.GetDiskUsage(s.dir)
	return err != nil || usage.AvailBytes >= uint64(s.opt.ReserveBytes)
}
