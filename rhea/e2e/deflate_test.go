package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"

	"rhea/proto/nostr"
)

// packer is a client of another project that may compress what it says and hears.
type packer struct {
	t    *testing.T
	ws   *websocket.Conn
	wire atomic.Int64 // bytes that came, the handshake's among them
	text int          // bytes of the messages that were heard
}

func dialPacker(t *testing.T, url string, mode websocket.CompressionMode) *packer {
	p := &packer{t: t}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{
		CompressionMode: mode, CompressionThreshold: 1,
		HTTPClient: &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			nc, err := new(net.Dialer).DialContext(ctx, network, address)
			return countingConn{nc, &p.wire}, err
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(-1)
	t.Cleanup(func() { ws.CloseNow() })
	p.ws = ws
	return p
}

type countingConn struct {
	net.Conn
	n *atomic.Int64
}

func (c countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// ask says something and returns what comes up to a message of one of these kinds.
func (p *packer) ask(text string, last ...string) (heard []string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	if text != "" {
		if err := p.ws.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			p.t.Fatal(err)
		}
	}
	for {
		_, b, err := p.ws.Read(ctx)
		if err != nil {
			p.t.Fatalf("after %.100s: %v", text, err)
		}
		p.text += len(b)
		heard = append(heard, string(b))
		if slices.ContainsFunc(last, func(kind string) bool { return strings.HasPrefix(string(b), `["`+kind+`"`) }) {
			return heard
		}
	}
}

// Every kind of message is the same to those who compress, with and without a context
// that they would take over, as to those who do not; and what is said to be compressed
// is.
func TestDeflate(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	events := unsigned(rand.New(rand.NewPCG(seed, 0)), 1, 300)
	for _, mode := range []string{"off", "shared", "message"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			r := start(t, "solo", "", nil, "RHEA_GATEWAY_DEFLATE="+mode)
			r.fill(events)
			plain := dialPacker(t, r.url, websocket.CompressionDisabled)
			said := deflateTalk(plain, events)
			for _, c := range []websocket.CompressionMode{websocket.CompressionContextTakeover, websocket.CompressionNoContextTakeover} {
				p := dialPacker(t, r.url, c)
				if also := deflateTalk(p, events); !slices.Equal(also, said) {
					t.Errorf("client of mode %d heard %d messages that are not the %d others", c, len(also), len(said))
				}
				saved := 1 - float64(p.wire.Load())/float64(p.text)
				t.Logf("%d bytes of messages came in %d", p.text, p.wire.Load())
				if mode == "off" && saved > 0 || mode != "off" && saved < 0.1 {
					t.Errorf("client of mode %d: %.0f %% are saved", c, 100*saved)
				}
			}
		})
	}
}

// deflateTalk hears a message of every kind, and the stored events twice.
func deflateTalk(p *packer, events []*nostr.Event) (heard []string) {
	p.ask("", "AUTH") // whose challenge is another for everyone
	say := func(text string, last ...string) { heard = append(heard, p.ask(text, last...)...) }
	for range 2 {
		say(`["REQ","stored",{"limit":500}]`, "EOSE")
	}
	say(`["EVENT",{"id":"`+strings.Repeat("x", 3000)+`"}]`, "OK")
	say(fmt.Sprintf(`["EVENT",%s]`, events[0].AppendJSON(nil)), "OK")
	say(`["COUNT","count",{}]`, "COUNT")
	say(`["REQ","none",{"kinds":"none"}]`, "CLOSED")
	say(`nonsense`, "NOTICE")
	say(`["NEG-OPEN","neg",{},"6100000200"]`, "NEG-MSG")
	say(`["NEG-MSG","other","61"]`, "NEG-ERR")
	return heard
}

// The setting changes while clients stay: who was told that messages may be compressed
// goes on to compress, and is sent what the new setting says; who connects is answered by it.
func TestDeflateIsReloaded(t *testing.T) {
	f := &reloaded{t: t, path: filepath.Join(t.TempDir(), "rhea.toml")}
	set := func(mode string) {
		f.write("[relay]\nname = \"" + mode + "\"\n[gateway]\ndeflate = \"" + mode + "\"\n")
		if f.relay != nil {
			f.eventually(mode, func() bool { return f.name() == mode })
		}
	}
	set("off")
	f.relay = start(t, "solo", "", []string{"--config", f.path})
	f.relay.fill(unsigned(rand.New(rand.NewPCG(1, 0)), 1, 100))
	never := dialPacker(t, f.relay.url, websocket.CompressionNoContextTakeover)
	never.ask("", "AUTH")
	set("message")
	stays := dialPacker(t, f.relay.url, websocket.CompressionNoContextTakeover)
	stays.ask("", "AUTH")
	// saves is whether a client is sent fewer bytes than it hears. It is the same event over
	// and over: the second time is what tells shared from off.
	saves := func(p *packer) bool {
		wire, text := p.wire.Load(), p.text
		for range 2 {
			p.ask(`["REQ","stored",{"limit":100}]`, "EOSE")
		}
		return p.wire.Load()-wire < int64(p.text-text)*9/10
	}
	for _, mode := range []string{"message", "off", "shared"} {
		if mode != "message" {
			set(mode)
		}
		f.eventually(mode+" for who stays", func() bool { return saves(stays) == (mode != "off") })
		if saves(never) {
			t.Errorf("%s: who was answered off is sent compressed messages", mode)
		}
		comes := dialPacker(t, f.relay.url, websocket.CompressionNoContextTakeover)
		comes.ask("", "AUTH")
		if saves(comes) != (mode != "off") {
			t.Errorf("%s: who comes now is served otherwise", mode)
		}
	}
}

// A browser, which offers compression unasked, hears what others hear.
func TestDeflateOfABrowser(t *testing.T) {
	b := openTab(t)
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := start(t, "solo", "", nil)
	r.fill(unsigned(rand.New(rand.NewPCG(seed, 0)), 1, 100))
	const req = `["REQ","x",{"limit":500}]`
	plain := dialPacker(t, r.url, websocket.CompressionDisabled)
	plain.ask("", "AUTH")
	want := append(plain.ask(req, "EOSE"), plain.ask(req, "EOSE")...)
	got := eval[struct {
		Extensions string
		Heard      []string
	}](b, fmt.Sprintf(`new Promise((done, broken) => {
		const ws = new WebSocket(%q), req = %q, heard = []
		let rounds = 0
		ws.onerror = ws.onclose = broken
		ws.onopen = () => ws.send(req)
		ws.onmessage = m => {
			if (m.data.startsWith('["AUTH"')) return
			heard.push(m.data)
			if (!m.data.startsWith('["EOSE"')) return
			if (++rounds === 1) ws.send(req)
			else done({ Extensions: ws.extensions, Heard: heard })
		}
	})`, r.url, req))
	if !strings.HasPrefix(got.Extensions, "permessage-deflate") || !slices.Equal(got.Heard, want) {
		t.Errorf("the browser, with extensions %q, heard %d messages that are not the %d of others", got.Extensions, len(got.Heard), len(want))
	}
}
