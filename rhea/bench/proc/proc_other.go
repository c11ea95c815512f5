//go:build !linux

package proc

import "errors"

var errLinux = errors.New("what processes cost is read from Linux's /proc, which is not here")

// Tree is an error.
func Tree(...int) ([]int, error) { return nil, errLinux }

// Read knows of nothing.
func Read([]int) Usages { return Usages{} }

// MemoryOf knows of nothing.
func MemoryOf([]int) Memories { return Memories{} }

// DiskOf is an error.
func DiskOf(string) (int64, error) { return 0, errLinux }
