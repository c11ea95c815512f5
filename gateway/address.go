package gateway

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"rhea/proto/relaypb"
)

// clientAddress returns where a request comes from. What X-Forwarded-For says
// counts only as far as trusted proxies have said it: each adds the address that
// it was spoken to from at the end, so the last one that is no proxy's own is the
// client's, and what stands before it is the client's invention.
func clientAddress(r *http.Request, proxies []netip.Prefix) netip.Addr {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr) // made by net/http
	addr := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && trusts(proxies, addr); i-- {
		hop, ok := parseHop(hops[i])
		if !ok {
			break
		}
		addr = hop
	}
	return addr
}

// parseHop reads one element of X-Forwarded-For; some proxies add the port.
func parseHop(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	ap, err := netip.ParseAddrPort(text)
	return ap.Addr().Unmap().WithZone(""), err == nil
}

func trusts(proxies []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// door counts connections, in all and by address. Safe for concurrent use.
type door struct {
	mu                 sync.Mutex
	max, maxPerAddress int
	all                int
	byFrom             map[household]int32
}

type doorAnswer uint8

const (
	doorOpen    doorAnswer = iota
	doorFull               // the relay has no room
	doorCrowded            // too many from that address
)

func newDoor(maxAll, maxPerAddress int) *door {
	return &door{max: maxAll, maxPerAddress: maxPerAddress, byFrom: make(map[household]int32)}
}

// resize changes how many are let in from now on.
func (d *door) resize(maxAll, maxPerAddress int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.max, d.maxPerAddress = maxAll, maxPerAddress
}

// enter lets a connection in, or says why not. One that was let in must leave.
func (d *door) enter(from household) doorAnswer {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all >= d.max {
		return doorFull
	}
	if int(d.byFrom[from]) >= d.maxPerAddress {
		return doorCrowded
	}
	d.all++
	d.byFrom[from]++
	return doorOpen
}

// inside is how many are in.
func (d *door) inside() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.all
}

// limit is how many connections there may be.
func (d *door) limit() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.max
}

func (d *door) leave(from household) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all--
	if d.byFrom[from]--; d.byFrom[from] == 0 {
		delete(d.byFrom, from)
	}
}

// sourceOf returns how a plugin is told of a client's address.
func sourceOf(a netip.Addr) (relaypb.SourceType, string) {
	switch {
	case a.Is4():
		return relaypb.SourceType_IP4, a.String()
	case a.Is6():
		return relaypb.SourceType_IP6, a.WithZone("").String()
	}
	return relaypb.SourceType_IP6, "" // not known, which is no reason not to ask
}

// household is what one client can be expected to have to itself: an IPv4 address
// or an IPv6 /64.
type household [16]byte

func householdOf(a netip.Addr) household {
	h := household(a.As16())
	if a.Is6() && !a.Is4In6() {
		clear(h[8:])
	}
	return h
}
