package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rhea/proto/stage"
)

func TestConfigCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rhea.toml")
	for text, want := range map[string]string{
		"":                                     "",
		"[limits]\nmax_filters = 3\n[monitor]": "",
		"[limits]\nmax_filter = 3\n":           path + `:2: [limits] has no key "max_filter"; did you mean max_filters?`,
		"[monitor]\nmax_watches = 0\n":         "[monitor] max_watches is 0: want 1 to 100000000",
		"[ingestor]\n":                         path + ":1: no Rhea program has a section [ingestor]; did you mean [ingester]?",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		wantCode, wantOut, wantErr := stage.ExitOK, path+": good\n", ""
		if want != "" {
			wantCode, wantOut, wantErr = stage.ExitUsage, "", "rhea config: "+want+"\n"
		}
		if code, out, errs := call("", "config", "check", path); code != wantCode || out != wantOut || errs != wantErr {
			t.Errorf("%q: code %d\n%s%s", text, code, out, errs)
		}
	}
	for _, args := range []string{"", "check", "chek x", "check a b", "check /no/such/file"} {
		code, out, errs := call("", append([]string{"config"}, strings.Fields(args)...)...)
		if code != stage.ExitUsage || out != "" || strings.Count(errs, "\n") != 1 {
			t.Errorf("%q: code %d\n%s%s", args, code, out, errs)
		}
	}
}
