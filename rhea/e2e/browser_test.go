package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is a page in a real browser that remembers what went wrong in it.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	requests []string
	faults   []string // console messages, exceptions, requests that failed
}

// openTab starts a browser without a window. Without one on the machine the test
// is skipped.
func openTab(t *testing.T) *tab {
	t.Helper()
	names := []string{"chromium", "chromium-browser", "google-chrome", "chrome"}
	found := slices.IndexFunc(names, func(name string) bool { _, err := exec.LookPath(name); return err == nil })
	if found < 0 {
		t.Skipf("no browser here: none of %v is in the PATH", names)
	}
	o := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(names[found]))
	if os.Geteuid() == 0 {
		o = append(o, chromedp.NoSandbox) // Chromium does not start for root otherwise
	}
	limited, cancelTime := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancelTime)
	allocated, cancelBrowser := chromedp.NewExecAllocator(limited, o...)
	t.Cleanup(cancelBrowser)
	ctx, cancelTab := chromedp.NewContext(allocated)
	t.Cleanup(cancelTab)
	b := &tab{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	tell(b, log.Enable, cdp.Empty{})
	tell(b, network.Enable, network.EnableParams{})
	return b
}

// hear notes what a developer would see in the browser's tools.
func (b *tab) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *network.EventLoadingFailed:
		b.faults = append(b.faults, "a request failed: "+e.ErrorText)
	case *network.EventResponseReceived:
		if e.Response.Status >= 400 {
			b.faults = append(b.faults, fmt.Sprintf("%s: status %d", e.Response.URL, e.Response.Status))
		}
	case *log.EventEntryAdded:
		b.faults = append(b.faults, fmt.Sprintf("log: %s %s", e.Entry.Text, e.Entry.URL))
	case *runtime.EventConsoleAPICalled:
		b.faults = append(b.faults, fmt.Sprintf("console.%s", e.Type))
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, "exception: "+e.ExceptionDetails.Text)
	}
}

// seen returns what was requested and what went wrong since it was last called.
func (b *tab) seen() (requests, faults []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	requests, faults = b.requests, b.faults
	b.requests, b.faults = nil, nil
	return requests, faults
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// visit opens a page on a screen of some width, by day or by night.
func (b *tab) visit(url string, width int64, scheme string) {
	b.t.Helper()
	tell(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	b.do(chromedp.EmulateViewport(width, 800), chromedp.Navigate(url))
}

// tell gives the browser a command of its protocol.
func tell[P, R any](b *tab, command cdp.Command[P, R], params P) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.t.Fatal(err)
	}
}

// see returns what an action finds.
func see[T any](b *tab, look chromedp.Action[T]) T {
	b.t.Helper()
	found, err := chromedp.Run(b.ctx, look)
	if err != nil {
		b.t.Fatal(err)
	}
	return found
}

// eval runs a script in the page, waits for what it promises, and returns that.
func eval[T any](b *tab, script string) T {
	b.t.Helper()
	return see(b, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}
