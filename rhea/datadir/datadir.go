// Package datadir is what a relay keeps in its data directory beside the store:
// the lock that makes it the only one there, and the address of its bus, by
// which the operator's commands find it.
//
//	<dir>/store/      the writer's; see rhea/writer/store
//	<dir>/rhea.lock   locked while a relay runs; says which
//	<dir>/rhea.run/   while rhea up runs: its own, for sockets
//	<dir>/bus.url     while a relay runs: the NATS URL with its password (mode 0600)
//
// The lock is the kernel's, so a relay that is killed leaves none behind; a
// bus.url whose lock is free is a leftover and not believed.
package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"rhea/proto/bus"
)

const (
	lockName = "rhea.lock"
	urlName  = "bus.url"
)

// Store is where the store is in the data directory dir.
func Store(dir string) string { return filepath.Join(dir, "store") }

// Run is a directory that the one who holds dir may make and remove.
func Run(dir string) string { return filepath.Join(dir, "rhea.run") }

// InUseError says that a relay already runs on a data directory.
type InUseError struct {
	Dir string
	By  string // "rhea up, process 123"; may be empty
}

func (e *InUseError) Error() string {
	if e.By == "" {
		return fmt.Sprintf("a relay already runs on %s", e.Dir)
	}
	return fmt.Sprintf("a relay already runs on %s (%s)", e.Dir, e.By)
}

// NoRelayError says that no relay runs on a data directory.
type NoRelayError struct{ Dir string }

func (e *NoRelayError) Error() string { return "no relay runs on " + e.Dir }

// Held is a data directory that this process holds.
type Held struct {
	dir  string
	lock *os.File
}

// Hold takes the directory, which it creates if need be, for this process, which
// calls itself name ("rhea up"). The error is an *InUseError when somebody has it.
func Hold(dir, name string) (*Held, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := patiently(lock); err != nil {
		_ = lock.Close() // nothing was written
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, inUse(dir)
		}
		return nil, fmt.Errorf("data directory: lock %s: %w", lock.Name(), err)
	}
	h := &Held{dir, lock}
	// A relay that was killed has left its URL.
	if err := errors.Join(h.forget(), lock.Truncate(0)); err != nil {
		_ = lock.Close() // the first error says more
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if _, err := fmt.Fprintf(lock, "%s, process %d\n", name, os.Getpid()); err != nil {
		_ = lock.Close() // as above
		return nil, fmt.Errorf("data directory: %w", err)
	}
	return h, nil
}

// Announce writes where the bus is. Prefix and shards stand behind a # when they
// are not the defaults; NATS clients want the URL without them.
func (h *Held) Announce(c bus.Config) error {
	text := c.URL
	if d := bus.DefaultConfig(); c.Prefix != d.Prefix || c.Shards != d.Shards {
		text += "#" + url.Values{"prefix": {c.Prefix}, "shards": {strconv.Itoa(c.Shards)}}.Encode()
	}
	path := filepath.Join(h.dir, urlName)
	// A reader finds all of it or nothing.
	fresh := path + ".new"
	if err := os.WriteFile(fresh, []byte(text+"\n"), 0o600); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}

// Release takes the URL away and lets the directory go.
func (h *Held) Release() error {
	return errors.Join(h.forget(), h.lock.Close())
}

func (h *Held) forget() error {
	if err := os.Remove(filepath.Join(h.dir, urlName)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Bus returns where the bus of the relay is that runs on dir. The error is a
// *NoRelayError when none does, or none that has come so far.
func Bus(dir string) (bus.Config, error) {
	c := bus.DefaultConfig()
	if running, err := Running(dir); err != nil {
		return c, err
	} else if running == nil {
		return c, &NoRelayError{dir}
	}
	text, err := os.ReadFile(filepath.Join(dir, urlName))
	if errors.Is(err, fs.ErrNotExist) {
		return c, &NoRelayError{dir}
	}
	if err != nil {
		return c, fmt.Errorf("data directory: %w", err)
	}
	var more string
	c.URL, more, _ = strings.Cut(strings.TrimSpace(string(text)), "#")
	if more == "" {
		return c, nil
	}
	values, err := url.ParseQuery(more)
	if err == nil {
		c.Prefix = values.Get("prefix")
		c.Shards, err = strconv.Atoi(values.Get("shards"))
	}
	if err != nil {
		return c, fmt.Errorf("data directory: %s is damaged: %w", filepath.Join(dir, urlName), err)
	}
	return c, nil
}

// Running returns who holds dir, nil if nobody does.
func Running(dir string) (*InUseError, error) {
	lock, err := os.Open(filepath.Join(dir, lockName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	defer lock.Close()
	err = try(lock, syscall.LOCK_SH)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return inUse(dir), nil
	}
	if err != nil {
		return nil, fmt.Errorf("data directory: lock %s: %w", lock.Name(), err)
	}
	return nil, nil
}

// patiently takes the lock, trying again for a moment: Running holds it for that
// long when it looks.
func patiently(lock *os.File) error {
	var err error
	for range 10 {
		if err = try(lock, syscall.LOCK_EX); !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

func try(lock *os.File, how int) error {
	return syscall.Flock(int(lock.Fd()), how|syscall.LOCK_NB)
}

func inUse(dir string) *InUseError {
	// Who it is serves the message alone, so failing to read it changes nothing.
	by, _ := os.ReadFile(filepath.Join(dir, lockName))
	return &InUseError{Dir: dir, By: strings.TrimSpace(string(by))}
}
