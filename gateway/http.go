package gateway

import (
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"rhea/gateway/deflate"
	"rhea/proto/subject"
)

// Time-outs and bounds of what comes before the upgrade.
const (
	headerTimeout  = 10 * time.Second
	idleTimeout    = time.Minute
	upgradeTimeout = 10 * time.Second
	maxHeaderBytes = 16 << 10
)

// ServeHTTP answers everything that is said before a connection is a WebSocket:
// the one endpoint is /, because a path does not influence what the relay does
// (NIP-01).
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	allowAnyOrigin(w.Header())
	switch {
	case r.URL.Path != "/":
		http.Error(w, "404: the relay is at /", http.StatusNotFound)
	case r.Method == http.MethodOptions:
		w.WriteHeader(http.StatusNoContent)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", allowedMethods)
		http.Error(w, "405: only GET, HEAD and OPTIONS", http.StatusMethodNotAllowed)
	case r.Method == http.MethodGet && hasToken(r.Header["Upgrade"], "websocket"):
		g.upgrade(w, r)
	case acceptsInformation(r.Header.Values("Accept")):
		w.Header().Set("Content-Type", informationType)
		w.Header().Add("Vary", "Accept")
		_, _ = w.Write(g.front.Load().information) // the client is gone if this fails
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", g.landingPolicy)
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Add("Vary", "Accept")
		f := g.front.Load()
		page := atAddress(f.landing, r, f.proxies)
		w.Header().Set("Content-Length", strconv.Itoa(len(page)))
		_, _ = w.Write(page)
	}
}

const allowedMethods = "GET, HEAD, OPTIONS"

// allowAnyOrigin lets web pages from anywhere read the answer; NIP-11 demands it.
func allowAnyOrigin(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Headers", "*")
	h.Set("Access-Control-Allow-Methods", allowedMethods)
}

// hasToken says whether a header that is a list of tokens has one of them.
func hasToken(values []string, token string) bool {
	for _, v := range values {
		for one := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(one), token) {
				return true
			}
		}
	}
	return false
}

// keyLength is the length of a Sec-WebSocket-Key: 16 bytes in base64.
const keyLength = 24

// refuseHandshake answers what is not the opening handshake of RFC 6455 (4.2.1),
// while the connection is HTTP still, and says whether it was.
func refuseHandshake(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case !hasToken(r.Header["Connection"], "upgrade"):
		http.Error(w, "400: the header Connection must be Upgrade", http.StatusBadRequest)
	case len(r.Header.Get("Sec-WebSocket-Key")) != keyLength:
		http.Error(w, "400: the header Sec-WebSocket-Key must have 24 characters", http.StatusBadRequest)
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		w.Header().Set("Sec-WebSocket-Version", "13")
		http.Error(w, "426: only version 13 of WebSocket", http.StatusUpgradeRequired)
	default:
		return false
	}
	return true
}

// maxHost is the longest Host that is worth keeping: a name of DNS and a port.
const maxHost = 255 + len(":65535")

// hostOf returns the host that a client has connected to, for it to name it in an
// AUTH.
func hostOf(r *http.Request) string {
	if len(r.Host) > maxHost || !utf8.ValidString(r.Host) {
		return ""
	}
	return strings.ToLower(r.Host)
}

// connHeader tells a client how the relay calls its connection, in logs and on the
// bus: what the operator needs to know to follow it.
const connHeader = "Rhea-Conn"

// upgrade makes a WebSocket of the request's connection and hands it to the core; the
// HTTP server's goroutine and buffers go free.
func (g *gateway) upgrade(w http.ResponseWriter, r *http.Request) {
	if refuseHandshake(w, r) {
		g.metrics.refusedUpgrades.Inc()
		return
	}
	from := clientAddress(r, g.front.Load().proxies)
	switch g.door.enter(householdOf(from)) {
	case doorFull:
		g.metrics.refusedFull.Inc()
		http.Error(w, "503: the relay has no room for more connections", http.StatusServiceUnavailable)
		return
	case doorCrowded:
		g.metrics.refusedAddress.Inc()
		http.Error(w, "429: too many connections from your address", http.StatusTooManyRequests)
		return
	}
	id := subject.MakeConnID(g.bus.Instance, g.counter.Add(1))
	header := http.Header{connHeader: {id.String()}}
	packs := g.acceptDeflate(r, header)
	upgrader := ws.HTTPUpgrader{Timeout: upgradeTimeout, Header: header}
	nc, rw, _, err := upgrader.Upgrade(r, w)
	if err != nil {
		g.metrics.refusedUpgrades.Inc()
		g.door.leave(householdOf(from))
		if nc != nil {
			_ = nc.Close()
		}
		return
	}
	var early []byte
	if n := rw.Reader.Buffered(); n > 0 {
		early, _ = rw.Reader.Peek(n) // they are there
	}
	g.serve(nc, id, from, hostOf(r), early, packs)
}

// extensionsHeader is where extensions are offered, and accepted.
const extensionsHeader = "Sec-Websocket-Extensions"

// acceptDeflate accepts compression if the client offers it and the relay wants it.
func (g *gateway) acceptDeflate(r *http.Request, answer http.Header) bool {
	if !g.front.Load().deflate {
		return false
	}
	text, accepted := deflate.Accept(r.Header[extensionsHeader])
	if accepted {
		answer.Set(extensionsHeader, text)
	}
	return accepted
}
