package bus

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rhea/proto/subject"
)

// Files that do not read are told at once and by name, not after waiting for a server.
func TestFilesOfTheIdentity(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(c *Config){
		"nowhere.crt":   func(c *Config) { c.Cert, c.Key = "nowhere.crt", empty },
		"empty.pem":     func(c *Config) { c.Cert, c.Key = empty, empty },
		"nowhere.ca":    func(c *Config) { c.CA = "nowhere.ca" },
		"no certificat": func(c *Config) { c.CA = empty },
		"nowhere.creds": func(c *Config) { c.Credentials = "nowhere.creds" },
	} {
		c := DefaultConfig()
		c.URL = "nats://127.0.0.1:1"
		change(&c)
		began := time.Now()
		_, err := Dial(t.Context(), c, subject.Instance(1), "test", quiet)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
		if waited := time.Since(began); waited > 5*time.Second {
			t.Errorf("%q: told after %s", want, waited)
		}
	}
}

func TestCertificateAndKeyGoTogether(t *testing.T) {
	for _, c := range []struct {
		cert, key string
		good      bool
	}{{"", "", true}, {"a", "b", true}, {"a", "", false}, {"", "b", false}} {
		conf := DefaultConfig()
		conf.Cert, conf.Key = c.cert, c.key
		if err := conf.Validate(); (err == nil) != c.good {
			t.Errorf("cert %q, key %q: %v", c.cert, c.key, err)
		}
	}
}
