package datadir_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rhea/proto/bus"
	"rhea/rhea/datadir"
)

func TestLife(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if _, err := datadir.Bus(dir); !isNoRelay(err) {
		t.Fatalf("no directory: %v", err)
	}
	held, err := datadir.Hold(dir, "rhea up")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := datadir.Bus(dir); !isNoRelay(err) {
		t.Fatalf("not announced yet: %v", err)
	}
	for _, want := range []bus.Config{
		{URL: "nats://u:p@h:1", Prefix: "rhea", Shards: 16},
		{URL: "nats://u:p@h:1", Prefix: "other.one", Shards: 4},
	} {
		if err := held.Announce(want); err != nil {
			t.Fatal(err)
		}
		if got, err := datadir.Bus(dir); got != want || err != nil {
			t.Fatal(got, err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "bus.url"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("a URL with a password has mode %v (%v)", info.Mode(), err)
	}
	_, err = datadir.Hold(dir, "rhea solo")
	if e, ok := errors.AsType[*datadir.InUseError](err); !ok || !strings.Contains(e.Error(), "rhea up, process ") {
		t.Fatalf("taken twice: %v", err)
	}
	if who, err := datadir.Running(dir); who == nil || err != nil {
		t.Fatal(who, err)
	}
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
	if who, err := datadir.Running(dir); who != nil || err != nil {
		t.Fatal(who, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "bus.url")); err == nil {
		t.Fatal("the URL is left behind")
	}
}

// What a killed relay left is neither believed nor in the way.
func TestLeftover(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"bus.url": "nats://old\n", "rhea.lock": "rhea up, process 1, with a long text\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := datadir.Bus(dir); !isNoRelay(err) {
		t.Fatalf("believed: %v", err)
	}
	held, err := datadir.Hold(dir, "rhea up")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	if _, err := datadir.Bus(dir); !isNoRelay(err) {
		t.Fatalf("believed: %v", err)
	}
}

func isNoRelay(err error) bool {
	_, ok := errors.AsType[*datadir.NoRelayError](err)
	return ok
}
