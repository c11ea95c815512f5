package health

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestURL(t *testing.T) {
	for in, want := range map[string]string{
		"127.0.0.1:9100":            "http://127.0.0.1:9100/readyz",
		"0.0.0.0:9100":              "http://127.0.0.1:9100/readyz",
		":9100":                     "http://127.0.0.1:9100/readyz",
		"[::]:9100":                 "http://[::1]:9100/readyz",
		"http://a:1":                "http://a:1/readyz",
		"http://a:1/":               "http://a:1/readyz",
		"https://a/healthz":         "https://a/healthz",
		"ftp://a":                   "",
		"http://":                   "",
		"http://127.0.0.1:port/way": "",
	} {
		got, err := URL(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", in, got, err)
		}
	}
}

func TestAsk(t *testing.T) {
	answer := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(answer)
		w.Write([]byte("bus: down\nwriter: gone\n"))
	}))
	if err := Ask(context.Background(), s.URL); err != nil {
		t.Error(err)
	}
	answer = http.StatusServiceUnavailable
	if err := Ask(context.Background(), s.URL); err == nil || err.Error() != "503 Service Unavailable: bus: down; writer: gone" {
		t.Error(err)
	}
	s.Close()
	if err := Ask(context.Background(), s.URL); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Error(err)
	}
}
