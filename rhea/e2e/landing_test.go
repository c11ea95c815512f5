package e2e

import (
	_ "embed"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

//go:embed testdata/landing.js
var inspect string

const (
	operatorKey  = "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d"
	operatorNPub = "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6" // as NIP-19 has it
)

// onePixel is a PNG.
const onePixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

// A relay whose operator has filled in everything, with a name that tries to be
// more than one, as people see it: on a phone and on a desk, by day and by night.
func TestLandingPage(t *testing.T) {
	pictures := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		png, _ := base64.StdEncoding.DecodeString(onePixel)
		w.Header().Set("Content-Type", "image/png")
		w.Write(png)
	}))
	defer pictures.Close()
	const name = `<script>document.title="owned"</script> & "Sons" of {{.Name}}`
	b := openTab(t)
	r := start(t, "solo", "", nil, "RHEA_RELAY_NAME="+name, "RHEA_RELAY_DESCRIPTION=<img src=x onerror=alert(1)> a relay "+strings.Repeat("long", 50),
		"RHEA_RELAY_PUBKEY="+operatorKey, "RHEA_RELAY_CONTACT=mailto:ops@example.org", "RHEA_RELAY_ICON="+pictures.URL+"/icon.png",
		"RHEA_RELAY_BANNER="+pictures.URL+"/banner.png", "RHEA_POLICY_MIN_POW=21", "RHEA_LIMITS_CREATED_AT_UPPER_LIMIT=900")
	page := "http" + strings.TrimPrefix(r.url, "ws") + "/"
	welcome := []string{page, pictures.URL + "/icon.png", pictures.URL + "/banner.png"}

	for _, width := range []int64{360, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			b.visit(page, width, scheme)
			text := see(b, chromedp.Text(chromedp.CSS("body")))
			if title := see(b, chromedp.Title()); title != name {
				t.Errorf("the title is %q", title)
			}
			for _, want := range []string{name, "<img src=x onerror=alert(1)> a relay", operatorNPub, "ops@example.org", "21 bits of proof of work",
				"more than 15 minutes ahead", "256 KiB", "NIP-01 Basic protocol", "NIP-77 Negentropy syncing"} {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not on the page", want)
				}
			}
			if address := see(b, chromedp.Value(chromedp.ID("address0"))); address != r.url {
				t.Errorf("the address shown is %q, want %q", address, r.url)
			}
			checkLooks(t, b, width, scheme)
			if requests, faults := b.seen(); len(faults) > 0 || slices.ContainsFunc(requests, func(u string) bool {
				return !slices.Contains(welcome, u) && !strings.HasPrefix(u, "data:image/svg+xml,")
			}) || !slices.Contains(requests, welcome[2]) {
				t.Errorf("%d %s: went wrong: %q; requested: %q", width, scheme, faults, requests)
			}
			picture(b, width, scheme)
		}
	}
	copyAddress(t, b, r.url)
	withoutScripts(t, b, page)
	connectFromPages(t, b, r.url, page+"nowhere", pictures.URL)
}

// checkLooks inspects the page that is open. What moves after it was painted would
// be clicked by mistake.
func checkLooks(t *testing.T, b *tab, width int64, scheme string) {
	t.Helper()
	if flaws := eval[[]string](b, inspect); len(flaws) > 0 {
		t.Errorf("%d pixels, %s: %q", width, scheme, flaws)
	}
	moved := eval[float64](b, `new Promise((done) => {
		let sum = 0;
		new PerformanceObserver((list) => { for (const e of list.getEntries()) sum += e.value; }).observe({ type: "layout-shift", buffered: true });
		requestAnimationFrame(() => requestAnimationFrame(() => done(sum)));
	})`)
	if moved > 0 {
		t.Errorf("%d pixels, %s: the layout shifts by %v", width, scheme, moved)
	}
	background := eval[string](b, `getComputedStyle(document.body).backgroundColor`)
	if dark := background == "rgb(20, 18, 26)"; dark != (scheme == "dark") {
		t.Errorf("%s is on %s", scheme, background)
	}
}

// copyAddress presses the button and looks at the clipboard.
func copyAddress(t *testing.T, b *tab, want string) {
	t.Helper()
	for _, name := range []string{"clipboard-read", "clipboard-write"} {
		tell(b, browser.SetPermission, browser.SetPermissionParams{
			Permission: &browser.PermissionDescriptor{Name: name}, Setting: browser.PermissionSettingGranted})
	}
	b.do(chromedp.Click(chromedp.CSS(".copy button")), chromedp.WaitVisible(`//button[text()="Copied"]`))
	if clipboard := eval[string](b, `navigator.clipboard.readText()`); clipboard != want {
		t.Errorf("the clipboard has %q", clipboard)
	}
	if _, faults := b.seen(); len(faults) > 0 {
		t.Errorf("copying: %q", faults)
	}
}

// withoutScripts opens the page as a browser that runs none.
func withoutScripts(t *testing.T, b *tab, page string) {
	t.Helper()
	tell(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.visit(page, 360, "light")
	if eval[bool](b, `document.querySelector(".copy button").checkVisibility()`) {
		t.Error("without scripts there is a button that does nothing")
	}
	if text := eval[string](b, `document.querySelector("main").innerText`); !strings.Contains(text, operatorNPub) {
		t.Errorf("without scripts the page says %q", text)
	}
	tell(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{})
	b.seen()
}

// connectFromPages opens a WebSocket from the relay's own origin and from one that
// is not, and reads the relay's information from there.
func connectFromPages(t *testing.T, b *tab, url string, pages ...string) {
	t.Helper()
	for _, from := range pages {
		b.do(chromedp.Navigate(from))
		frame := eval[string](b, `new Promise((done, fail) => {
			const ws = new WebSocket("`+url+`");
			ws.onopen = () => ws.send('["REQ","a",{"limit":1}]');
			ws.onmessage = (m) => { if (m.data.startsWith('["EOSE"')) done(m.data); };
			ws.onerror = () => fail(new Error("no WebSocket from " + location));
		})`)
		if !strings.HasPrefix(frame, `["EOSE","a"`) {
			t.Errorf("from %s: %s", from, frame)
		}
		contact := eval[string](b, `fetch("`+strings.Replace(url, "ws", "http", 1)+`", { headers: { Accept: "application/nostr+json" } }).then((r) => r.json()).then((i) => i.contact)`)
		if contact != "mailto:ops@example.org" {
			t.Errorf("from %s the information says %q", from, contact)
		}
	}
}

// picture keeps what the browser shows, for people to look at: RHEA_E2E_PICTURES
// is the folder.
func picture(b *tab, width int64, scheme string) {
	dir := os.Getenv("RHEA_E2E_PICTURES")
	if dir == "" {
		return
	}
	png := see(b, chromedp.FullScreenshot(100))
	name := filepath.Join(dir, "landing-"+map[int64]string{360: "phone", 1280: "desk"}[width]+"-"+scheme+".png")
	if err := os.WriteFile(name, png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}
