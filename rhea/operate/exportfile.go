package operate

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/klauspost/compress/zstd"

	"rhea/proto/bus"
	"rhea/proto/nostr"
)

// ExportFile writes the events of a query to a file, compressed if its name ends in .gz
// or .zst, and returns how many. The file has its name only when it is whole and on
// disk: until then it is beside it, with ".part-" behind its name, and goes away with
// an error. It replaces what is there, and is readable by its owner alone, since it
// holds private kinds too.
func ExportFile(ctx context.Context, b *bus.Bus, q Query, name string) (n int, err error) {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".part-*")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	packer, err := pack(f, name)
	if err != nil {
		return 0, errors.Join(err, f.Close())
	}
	n, err = Scan(ctx, b, q, packer)
	if err = errors.Join(err, packer.Close()); err != nil {
		return n, errors.Join(err, f.Close())
	}
	return n, finish(f, name)
}

// ResumeExport is ExportFile for a file that is not compressed, whose part stays when
// it is cut, and which goes on behind what such a part has of the same query: as one
// export would that is slow. The part's name tells the query. The count is of the
// events written now.
func ResumeExport(ctx context.Context, b *bus.Bus, q Query, name string) (n int, err error) {
	if err := q.CheckResume(name); err != nil {
		return 0, err
	}
	filters, err := q.bounded()
	if err != nil {
		return 0, err
	}
	part := fmt.Sprintf("%s.part-%x", name, sha256.Sum256(fmt.Appendf(filters, " %v", q.Ascending)))[:len(name)+len(".part-")+12]
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return 0, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return 0, errors.Join(fmt.Errorf("another export writes %s: %w", part, err), f.Close())
	}
	if q.behind, err = trim(f, q); err != nil {
		return 0, errors.Join(fmt.Errorf("%s: %w", part, err), f.Close())
	}
	if q.behind != nil {
		if at := q.behind.CreatedAt; q.Ascending {
			q.Since = &at
		} else {
			q.Until = &at
		}
	}
	if n, err = Scan(ctx, b, q, f); err != nil {
		return n, errors.Join(err, f.Close())
	}
	return n, finish(f, name)
}

// CheckResume refuses exports that cannot go on later.
func (q Query) CheckResume(name string) error {
	switch {
	case packing(name) != "":
		return fmt.Errorf("%s is compressed: only a plain file can be gone on with", name)
	case q.limited():
		return errors.New("an export with a limit cannot go on later")
	}
	return nil
}

// trim reads what an export has written, cuts off what is no whole event in the
// query's order, as a crash may leave it, and returns the last event; nil if there is
// none. What is written next goes behind it.
func trim(f *os.File, q Query) (last *nostr.Event, err error) {
	r := bufio.NewReaderSize(f, 1<<20)
	whole := int64(0)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return nil, err
		}
		if err == io.EOF {
			break
		}
		e, err := nostr.ParseEvent(line, nostr.EventLimits{})
		if err != nil {
			break
		}
		if q.behind = last; last != nil && !q.passed(e) {
			break
		}
		last = e
		whole += int64(len(line))
	}
	if err := f.Truncate(whole); err != nil {
		return nil, err
	}
	_, err = f.Seek(whole, io.SeekStart)
	return last, err
}

// finish closes a file that is whole and gives it its name.
func finish(f *os.File, name string) error {
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// packing returns how a file of this name is compressed, "" if it is not.
func packing(name string) string {
	for _, ending := range []string{".gz", ".zst"} {
		if strings.HasSuffix(name, ending) {
			return ending
		}
	}
	return ""
}

// pack returns a writer into f that compresses as the name says. Its Close leaves f open.
func pack(f *os.File, name string) (io.WriteCloser, error) {
	switch packing(name) {
	case ".gz":
		return gzip.NewWriter(f), nil
	case ".zst":
		return zstd.NewWriter(f, zstd.WithEncoderConcurrency(1))
	}
	return plain{f}, nil
}

type plain struct{ io.Writer }

func (plain) Close() error { return nil }
