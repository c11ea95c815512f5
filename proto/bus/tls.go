package bus

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/nats-io/nats.go"
)

// identity returns the options by which NATS and this process know each other: the
// authority that has signed the servers' certificates, and this client's own
// certificate or credentials. The files are read again at every connect, so what
// was renewed counts from the next one on; files that do not read now are an
// error now.
func (c Config) identity() ([]nats.Option, error) {
	var opts []nats.Option
	if c.Credentials != "" {
		if _, err := os.Stat(c.Credentials); err != nil {
			return nil, fmt.Errorf("bus: credentials: %w", err)
		}
		opts = append(opts, nats.UserCredentials(c.Credentials))
	}
	var certificate nats.TLSCertHandler
	if c.Cert != "" {
		certificate = func() (tls.Certificate, error) { return tls.LoadX509KeyPair(c.Cert, c.Key) }
		if _, err := certificate(); err != nil {
			return nil, fmt.Errorf("bus: client certificate %s with key %s: %w", c.Cert, c.Key, err)
		}
	}
	var authorities nats.RootCAsHandler
	if c.CA != "" {
		authorities = func() (*x509.CertPool, error) { return readAuthorities(c.CA) }
		if _, err := authorities(); err != nil {
			return nil, fmt.Errorf("bus: ca: %w", err)
		}
	}
	if certificate != nil || authorities != nil {
		opts = append(opts, nats.ClientTLSConfig(certificate, authorities))
	}
	return opts, nil
}

func readAuthorities(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New(path + " holds no certificate (PEM)")
	}
	return pool, nil
}
