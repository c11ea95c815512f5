package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"rhea/proto/nostr"
	"rhea/proto/nostr/nostrtest"
)

// A long siege of bad input, over ever new connections, leaves the relay as large
// as it was after the first part of it.
func TestHostileInputLeavesNothingBehind(t *testing.T) {
	r := start(t, "up", "", nil)
	_, roster := onlooker(t, r.busURL())
	forged := &nostr.Event{CreatedAt: 1_700_000_000, Kind: 1, Content: strings.Repeat("forged ", 1000)}
	nostrtest.Sign(forged, nostrtest.Secret(1))
	forged.Sig[5] ^= 1
	siege := func(connections int) {
		for i := range connections {
			c := rawDial(t, r.url)
			send := func(s string) { c.frame(ws.NewTextFrame([]byte(s))) }
			send(`["EVENT",` + strings.Repeat("[", 5000) + `]`)
			send(`["EVENT",` + string(forged.AppendJSON(nil)) + `]`)
			for k := range 50 {
				send(fmt.Sprintf(`["REQ","%d-%d",{"#t":["%d"]},{"ids":["nonsense"]}]`, i, k, k))
				send(fmt.Sprintf(`["REQ","live %d",{"#e":["%064x"],"limit":1}]`, k, i*k))
			}
			send(`["NEG-OPEN","n",{},"61"]`)
			send(`["COUNT","c",{}]`)
			c.answer(`["COUNT","c"`)
			if i%2 == 0 {
				c.frame(ws.NewFrame(ws.OpText, false, []byte(`["REQ"`))) // and no end
			}
			c.Close()
		}
	}
	siege(300)
	first := rss(t, r, roster)
	siege(900)
	second := rss(t, r, roster)
	t.Logf("memory after 300 hostile connections %d MB, after 1,200 %d MB", first>>20, second>>20)
	if second-first > 64<<20 {
		t.Errorf("it grew by %d MB", (second-first)>>20)
	}
}
