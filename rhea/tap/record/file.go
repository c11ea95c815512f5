package record

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"

	"rhea/proto/bus"
)

// ToFile is Run into a new file, which nobody but its owner may read. A file that is
// there already is left alone. When the disk is full, or the file cannot be written
// for another reason, it is cut behind its last whole block, so that it can be read;
// nothing is left of a file that would hold no message.
func ToFile(ctx context.Context, b *bus.Bus, path string, o Options) (Progress, error) {
	return create(path, func(f *os.File) (Progress, error) { return Run(ctx, b, f, o) })
}

// TakeToFile is Take into a new file, as ToFile is Run.
func TakeToFile(ctx context.Context, nc *nats.Conn, name string, c bus.Config, from, upto time.Time, path string, o Options) (Progress, error) {
	return create(path, func(f *os.File) (Progress, error) { return Take(ctx, nc, name, c, from, upto, f, o) })
}

func create(path string, write func(*os.File) (Progress, error)) (Progress, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return Progress{}, fmt.Errorf("%s is there already, and a recording is never written over: name another file with --out", path)
	}
	if err != nil {
		return Progress{}, err
	}
	p, err := write(f)
	if err != nil && p.Why == "" {
		err = mend(f, p, err)
	}
	if e := f.Close(); err == nil && e != nil {
		err = fmt.Errorf("write %s: %w", path, e)
	}
	return p, err
}

// mend leaves a file that could not be written to its end as a recording, or not at
// all, and says so.
func mend(f *os.File, p Progress, err error) error {
	if p.Messages == 0 {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if e := f.Truncate(p.Bytes); e != nil {
		return errors.Join(err, e)
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("the disk is full: %s ends there, whole up to its last block (%d bytes)", f.Name(), p.Bytes)
	}
	return fmt.Errorf("%w; %s is whole up to there (%d bytes)", err, f.Name(), p.Bytes)
}
