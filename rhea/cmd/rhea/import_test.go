package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rhea/proto/nostr"
	"rhea/rhea/importer"
)

// An import whose process is killed goes on where it was, and nothing is missing then.
func TestImportKilled(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	_, stop := startSolo(t, data)
	defer stop()
	var text bytes.Buffer
	for i := range 40_000 {
		e := &nostr.Event{Kind: 1, CreatedAt: int64(1_700_000_000 + i), Content: strings.Repeat("x", 300)}
		e.ID = e.ComputeID()
		text.Write(e.AppendJSON(nil))
		text.WriteByte('\n')
	}
	file := filepath.Join(t.TempDir(), "events.jsonl")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"import", "--resume", "--no-verify", "--data", data, file}
	victim := process(t, args...)
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; <-time.After(time.Millisecond) {
		if _, err := os.Stat(file + importer.StateSuffix); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it keeps no state")
		}
	}
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	victim.Wait()
	code, out, errs := call("", args...)
	if code != 0 || !strings.Contains(out, "\nwent on behind ") {
		t.Fatalf("code %d\n%s\n%s", code, out, errs)
	}
	t.Log(out)
	if code, out, errs = call("", "scan", "--data", data, `{"kinds":[1]}`); code != 0 || strings.Count(out, "\n") != 40_000 {
		t.Fatalf("code %d, %d events of 40000\n%s", code, strings.Count(out, "\n"), errs)
	}
}
