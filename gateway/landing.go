package gateway

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"rhea/proto/nostr"
)

var (
	//go:embed landing.html
	landingPage string
	//go:embed landing.css
	landingStyle string
	//go:embed landing.js
	landingScript string
)

// hereMark stands on a rendered page where the address goes that a visitor has
// come to. It has nothing that escaping would change.
const hereMark = "address.of.this.page.invalid"

// renderLanding makes the page for people who open the relay's address in a
// browser. Addresses are those that the operator says the relay has; without any,
// the page must go through atAddress before it is shown.
func renderLanding(i information, addresses []string) ([]byte, error) {
	t, err := template.New("landing").Funcs(template.FuncMap{
		"size": plainSize, "count": plainCount, "span": plainSpan, "title": nipTitle, "npub": npub, "contact": contactLink,
		"supports": func(nip int) bool { return slices.Contains(i.SupportedNIPs, nip) },
	}).Parse(landingPage)
	if err != nil {
		return nil, fmt.Errorf("gateway: the landing page: %w", err)
	}
	if strings.TrimSpace(i.Name) == "" {
		i.Name = "A Nostr relay"
	}
	if len(addresses) == 0 {
		addresses = []string{hereMark}
	}
	var b bytes.Buffer
	err = t.Execute(&b, struct {
		information
		Addresses []string
		Style     template.CSS
		Script    template.JS
	}{i, addresses, template.CSS(landingStyle), template.JS(landingScript)})
	if err != nil {
		return nil, fmt.Errorf("gateway: the landing page: %w", err)
	}
	return b.Bytes(), nil
}

// atAddress puts the address that a visitor has come to on the page.
func atAddress(page []byte, r *http.Request, proxies []netip.Prefix) []byte {
	scheme := "ws"
	peer, _ := netip.ParseAddrPort(r.RemoteAddr) // made by net/http
	if r.TLS != nil || trusts(proxies, peer.Addr().Unmap()) && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		scheme = "wss"
	}
	return bytes.ReplaceAll(page, []byte(hereMark), []byte(template.HTMLEscapeString(scheme+"://"+hostOf(r))))
}

// landingPolicy lets the page show the operator's pictures, style itself and run
// the one script that is part of it, and nothing else.
func landingPolicy() string {
	sum := sha256.Sum256([]byte(landingScript))
	return "default-src 'none'; style-src 'unsafe-inline'; img-src https: http: data:; script-src 'sha256-" +
		base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// npub is a key as people know it, "" for what is none.
func npub(hex string) string {
	pk, err := nostr.ParsePubKey(hex)
	if err != nil {
		return ""
	}
	return pk.NPub()
}

// link is something to read that may lead somewhere.
type link struct{ Text, URL string }

// contactLink makes a link of a contact that a browser can do something with.
func contactLink(contact string) link {
	u, err := url.Parse(contact)
	switch {
	case err != nil:
		return link{Text: contact}
	case u.Scheme == "mailto":
		return link{Text: u.Opaque, URL: contact}
	case u.Scheme == "https" || u.Scheme == "http":
		return link{Text: contact, URL: contact}
	}
	return link{Text: contact}
}

// plainSize writes bytes as people do.
func plainSize(n int) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return plainCount(n>>20) + " MiB"
	case n >= 1<<10:
		return plainCount(n>>10) + " KiB"
	}
	return plainCount(n) + " bytes"
}

// plainCount writes a number with commas between the thousands.
func plainCount(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// plainSpan writes seconds in the largest unit that leaves no fraction.
func plainSpan(seconds int64) string {
	for _, unit := range []struct {
		name string
		long int64
	}{{"day", 24 * 3600}, {"hour", 3600}, {"minute", 60}} {
		if n := seconds / unit.long; n > 0 && seconds%unit.long == 0 {
			if n == 1 {
				return "one " + unit.name
			}
			return plainCount(int(n)) + " " + unit.name + "s"
		}
	}
	return plainCount(int(seconds)) + " seconds"
}
