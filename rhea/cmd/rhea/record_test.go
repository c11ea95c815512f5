package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"rhea/proto/bus"
	"rhea/proto/relaypb"
	"rhea/proto/stage"
)

// A stream is made, a piece of it is taken out and shown, and it is dropped; the NATS of
// rhea itself has none, and says so.
func TestRecordStream(t *testing.T) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	defer func() { s.Shutdown(); s.WaitForShutdown() }()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	at, file := "--bus="+s.ClientURL(), filepath.Join(t.TempDir(), "x.rec")
	if code, _, errs := call("", "record", at, "--stream", "long", "--max-age", "1h"); code != 0 || !strings.Contains(errs, "the stream long is made") {
		t.Fatalf("code %d: %s", code, errs)
	}
	conf := bus.DefaultConfig()
	conf.URL = s.ClientURL()
	b, err := bus.Dial(t.Context(), conf, 5, "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Publish(b.Space.LogFetch(), &relaypb.LogFetch{From: 4711}); err != nil {
		t.Fatal(err)
	}
	// JetStream stores in its own time.
	for code, errs := 1, ""; code != 0; {
		if code, _, errs = call("", "record", at, "--from-stream=long", "--from=1h", "--out", file); code != 0 && !strings.Contains(errs, "holds nothing") {
			t.Fatalf("code %d: %s", code, errs)
		}
	}
	if code, out, errs := call("", "show", file); code != 0 || !strings.Contains(out, "LogFetch    from=4711") {
		t.Errorf("code %d: %s%s", code, out, errs)
	}
	if code, _, errs := call("", "record", at, "--drop-stream", "long"); code != 0 {
		t.Errorf("code %d: %s", code, errs)
	}

	data := filepath.Join(t.TempDir(), "data")
	_, stop := startSolo(t, data)
	defer stop()
	if code, _, errs := call("", "record", "--data", data, "--stream", "long"); code != 1 || !strings.Contains(errs, "has no JetStream") {
		t.Errorf("code %d: %s", code, errs)
	}
}

func TestRecordFlags(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, c := range []struct{ args, want string }{
		{"--stream a --from-stream b", "one of --stream"},
		{"--stream a.b", "no name of a stream"},
		{"--stream a --redact auth", "--redact goes with --from-stream"},
		{"--from 1h", "go with --from-stream"},
		{"--from-stream a --to noon", "no time"},
		{"--from-stream a --subject write", "--subject goes with --stream"},
	} {
		code, _, errs := call("", append([]string{"record"}, strings.Fields(c.args)...)...)
		if code != stage.ExitUsage || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: code %d, %s; want %q", c.args, code, errs, c.want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
