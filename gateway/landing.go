package gateway

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
)

//go:embed landing.html
var landingPage string

// renderLanding makes the page for people who open the relay's address in a
// browser.
func renderLanding(i information) ([]byte, error) {
	t, err := template.New("landing").Parse(landingPage)
	if err != nil {
		return nil, fmt.Errorf("gateway: the landing page: %w", err)
	}
	if i.Name == "" {
		i.Name = "A Nostr relay"
	}
	var b bytes.Buffer
	if err := t.Execute(&b, i); err != nil {
		return nil, fmt.Errorf("gateway: the landing page: %w", err)
	}
	return b.Bytes(), nil
}
